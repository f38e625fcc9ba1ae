// The kernel's buffer of a socket.
import { addon } from "./addon.ts";

/** Asks for `lengthBytes` of what is sent to be held by the kernel; it may give less. Never fails. */
export const widenSendBuffer = (addon as { widenSendBuffer(fd: number, lengthBytes: number): void }).widenSendBuffer;
