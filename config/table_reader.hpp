/// Reads one TOML table strictly: every key has a type and a range, and what nobody asked for is an
/// error. All errors name file, line and key.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent {

class table_reader {
public:
  /// `path` is the table's name in messages, e.g. "server" or "upstreams[0]".
  table_reader(const toml::table& table, std::string file, std::string path);

  /// Each leaves `out` alone when the key is absent. They throw `config_error`.
  void text(std::string_view key, std::string& out);
  void flag(std::string_view key, bool& out);
  void duration(std::string_view key, std::chrono::milliseconds& out);
  void bytes(std::string_view key, std::size_t& out);
  void texts(std::string_view key, std::vector<std::string>& out);

  /// A list of lists of strings.
  void text_lists(std::string_view key, std::vector<std::vector<std::string>>& out);

  /// A table whose values are all strings.
  void text_table(std::string_view key, std::map<std::string, std::string>& out);

  /// A number from 0 to 1.
  void share(std::string_view key, double& out);

  /// An amount of money, in millionths.
  void amount(std::string_view key, std::uint64_t& out);

  template <class Integer>
  void number(std::string_view key, Integer& out, std::int64_t min, std::int64_t max) {
    if (const auto x = integer(key, min, max))
      out = static_cast<Integer>(*x);
  }

  /// A value out of a closed list of words.
  template <class Enum>
  void word(std::string_view key, Enum& out,
            std::initializer_list<std::pair<std::string_view, Enum>> words) {
    if (!find(key))
      return;
    std::string given;
    text(key, given);
    std::string known;
    for (const auto& [name, value] : words) {
      if (given == name) {
        out = value;
        return;
      }
      known += (known.empty() ? "\"" : ", \"") + std::string{name} + "\"";
    }
    fail(key, "is \"" + given + "\"; it must be one of " + known);
  }

  template <class Enum>
  void optional_word(std::string_view key, std::optional<Enum>& out,
                     std::initializer_list<std::pair<std::string_view, Enum>> words) {
    if (find(key))
      word(key, out.emplace(), words);
  }

  /// The raw node, for values with more than one type; null when absent.
  const toml::node* any(std::string_view key);

  /// Runs `read` on a sub-table, if there is one.
  void table(std::string_view key, const std::function<void(table_reader&)>& read);

  /// Runs `read` on each table of an array of tables.
  void tables(std::string_view key, const std::function<void(table_reader&)>& read);

  /// Throws when the table has a key that was not read.
  void finish() const;

  /// Throws a `config_error` about `key`.
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

private:
  const toml::node* find(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  std::string full_name(std::string_view key) const;

  const toml::table& table_;
  std::string file_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

} // namespace lang_agent
