/// SQLite's access to files (https://sqlite.org/vfs.html), with fewer writes to the write-ahead
/// log. Private to store/.
#pragma once

namespace lang_agent::store::sqlite {

/// Registers it with the library. Returns its name, for the opening of a database.
///
/// It is the default file system except for write-ahead logs. SQLite writes a log frame by frame,
/// header and page apart; here the frames of a transaction gather, and go to the system in one
/// write with the frame that commits it. So only what is not committed is ever held back, and a
/// commit fails if it cannot be written, just as without this.
const char* gathering_vfs();

} // namespace lang_agent::store::sqlite
