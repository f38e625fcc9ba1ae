/* A block: a header and a run of consecutive records, packed as they lie in a store (docs/schema.md, "Block").
 *
 *   0  u32  magic "SGBK"
 *   4  u16  format version, 1
 *   6  u16  header bytes, 136
 *   8  u8[16]  ship number, little-endian
 *  24  u8   kind: 1 real, 2 fake
 *  25  u8   flags: bit 0, the records lie in pieces of their own and this block is their manifest
 *  26  u16  must be 0
 *  28  u32  log number, from 1
 *  32  u64  epoch of the claim that wrote it
 *  40  u64  first event id
 *  48  u64  count of events
 *  56  u64  bytes of the records
 *  64  u64  floor: the contiguous acknowledged height its writer knew when it sealed the block
 *  72  u64  digest id: the newest pair its writer knew (0: the digest before the first event)
 *  80  u8[32] digest
 * 112  u32  pieces (manifest), else 0
 * 116  u32  must be 0
 * 120  u64  claim under which the pieces were staged: the epoch in their keys (manifest), else 0
 * 128  u32  must be 0
 * 132  u32  CRC32C of bytes 0..131
 * 136       records, or nothing in a manifest
 *
 * C11 and C++20, no state, any thread.
 */
#ifndef SEGURO_WIRE_BLOCK_H
#define SEGURO_WIRE_BLOCK_H

#include "bytes.h"
#include "crc32c.h"

#define SEGURO_BLOCK_MAGIC 0x4b424753u
#define SEGURO_BLOCK_VERSION 1
#define SEGURO_BLOCK_HEADER_BYTES 136u
#define SEGURO_BLOCK_FLAG_MANIFEST 1
#define SEGURO_DIGEST_BYTES 32u

#endif
