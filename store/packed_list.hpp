/// A list of texts in one text, each after its length: "3:abc0:". Any bytes are allowed in them.
/// Private to store/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::store {

void pack(std::string& out, std::string_view text);

/// Throws `storage_error` when it is no packed list.
std::vector<std::string> unpack(std::string_view packed);

} // namespace lang_agent::store
