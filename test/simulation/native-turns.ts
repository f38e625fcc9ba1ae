// Native calls that end on other threads, taken in hand: a simulation decides when, and in which order, their answers come. To be imported
// before anything that uses the addon, because its wrappers keep what they find there.
import { addon } from "../../src/native/addon.ts";

/** Hands on an answer that has come; called when the simulation says so. */
type Answer = () => void;
type Holder = (answer: Promise<Answer>) => void;

interface Native {
  unpackBlocks(...values: readonly never[]): Promise<unknown>;
  DigestChain: new (...values: readonly never[]) => { advance(...values: readonly never[]): Promise<unknown> };
}

let holder: Holder | null = null;

/** From now on `hold` gets every answer; null: they come as they come. */
export function holdNative(hold: Holder | null): void {
  holder = hold;
}

function held<Result>(call: Promise<Result>): Promise<Result> {
  const hold = holder;
  if (hold === null) {
    return call;
  }
  return new Promise((resolve, reject) => {
    hold(
      call.then(
        (value) => () => resolve(value),
        (error: unknown) => () => reject(error),
      ),
    );
  });
}

const native = addon as Native;
const { unpackBlocks, DigestChain } = native;

native.unpackBlocks = (...values) => held(unpackBlocks(...values));
native.DigestChain = class extends DigestChain {
  override advance(...values: readonly never[]): Promise<unknown> {
    return held(super.advance(...values));
  }
};
