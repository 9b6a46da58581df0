/// The database file's layout and its versions. Private to store/.
#pragma once

#include "store/sqlite.hpp"

namespace lang_agent::store::sqlite {

/// Throws `storage_error` for a file of another program or of a newer version. Changes nothing.
void check_owner(database& db);

/// Brings a new or older file to this program's version. Throws `storage_error`.
void migrate(database& db);

} // namespace lang_agent::store::sqlite
