// The files of an embedded store: folders created, flushed and locked, a new data file that appears whole or not at all, and damage seen before LMDB maps it.
#pragma once

#include <cstddef>
#include <string>

#include "file_lock.h"
#include "kv_store.h"

namespace seguro {

/// Creates `dir` and its missing parents, 0700, each flushed into its parent. Throws KvFailure.
void LmdbCreateFolder(const std::string &dir);

/// Takes the lock of a store's folder, `options.dir`/seguro.lock, and says in it who has the store. Who only reads does without where nobody may write: a
/// folder that nobody can write and that never had a lock file has no writer. Throws KvFailure, "store-locked" with what the holder wrote.
void LockFolder(FileLock *lock, const KvOptions &options);

/// Makes an empty data file in `dir` if there is none: written and flushed aside, then renamed, so that a crash leaves none or a whole one.
/// Throws KvFailure.
void LmdbCreateDataFile(const std::string &dir);

/// Flushes the folder's entries. Throws KvFailure.
void LmdbFlushFolder(const std::string &dir);

/// Throws "store-damaged" if the file ends before a page that its newest meta reaches: LMDB would map it and die of SIGBUS.
void LmdbCheckExtent(const std::string &dir);

/// Whether `bytes` more bytes cannot be written in `dir`. LMDB reports a short write as EIO, so after one this tells a full disk from a broken one.
bool LmdbNoRoom(const std::string &dir, size_t bytes);

}  // namespace seguro
