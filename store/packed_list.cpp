#include "store/packed_list.hpp"

#include "store/thread_store.hpp"

#include <charconv>

namespace lang_agent::store {

void pack(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

std::vector<std::string> unpack(std::string_view packed) {
  std::vector<std::string> out;
  while (!packed.empty()) {
    std::size_t size = 0;
    const auto* end = packed.data() + packed.size();
    const auto [colon, error] = std::from_chars(packed.data(), end, size);
    const bool valid = error == std::errc{} && colon != end && *colon == ':'
                       && size <= static_cast<std::size_t>(end - colon - 1);
    if (!valid)
      throw storage_error{"the database holds a list that cannot be read"};
    out.emplace_back(colon + 1, size);
    packed.remove_prefix(static_cast<std::size_t>(colon + 1 - packed.data()) + size);
  }
  return out;
}

} // namespace lang_agent::store
