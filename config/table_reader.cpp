#include "config/table_reader.hpp"

#include "config/loader.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lang_agent {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

} // namespace

table_reader::table_reader(const toml::table& table, std::string file, std::string path)
    : table_(table), file_(std::move(file)), path_(std::move(path)) {}

void table_reader::text(std::string_view key, std::string& out) {
  if (const auto* node = find(key)) {
    if (!node->is_string())
      fail(key, "must be a string in quotes");
    out = node->as_string()->get();
  }
}

void table_reader::flag(std::string_view key, bool& out) {
  if (const auto* node = find(key)) {
    if (!node->is_boolean())
      fail(key, "must be true or false");
    out = node->as_boolean()->get();
  }
}

void table_reader::duration(std::string_view key, std::chrono::milliseconds& out) {
  if (const auto* node = find(key)) {
    const auto value = node->is_string() ? parse_duration(node->as_string()->get()) : std::nullopt;
    if (!value)
      fail(key, "must be a duration like \"250ms\", \"5s\", \"10m\" or \"1h\"");
    out = *value;
  }
}

void table_reader::bytes(std::string_view key, std::size_t& out) {
  if (const auto* node = find(key)) {
    const auto value = node->is_string() ? parse_size(node->as_string()->get()) : std::nullopt;
    if (!value)
      fail(key, "must be a size like \"512B\", \"64KiB\" or \"32MiB\"");
    out = static_cast<std::size_t>(*value);
  }
}

void table_reader::texts(std::string_view key, std::vector<std::string>& out) {
  if (const auto* node = find(key)) {
    const auto* array = node->as_array();
    if (!array)
      fail(key, "must be a list of strings");
    for (const auto& element : *array) {
      if (!element.is_string())
        fail(key, "must be a list of strings");
      out.push_back(element.as_string()->get());
    }
  }
}

void table_reader::text_lists(std::string_view key, std::vector<std::vector<std::string>>& out) {
  const auto* node = find(key);
  if (!node)
    return;
  const auto* array = node->as_array();
  const auto problem = R"(must be a list of lists of strings, e.g. [["a", "b"], ["c"]])";
  if (!array)
    fail(key, problem);
  for (const auto& row : *array) {
    if (!row.is_array())
      fail(key, problem);
    auto& texts = out.emplace_back();
    for (const auto& element : *row.as_array()) {
      if (!element.is_string())
        fail(key, problem);
      texts.push_back(element.as_string()->get());
    }
  }
}

void table_reader::text_table(std::string_view key, std::map<std::string, std::string>& out) {
  const auto* node = find(key);
  if (!node)
    return;
  if (!node->is_table())
    fail(key, R"(must be a table of strings, e.g. { "a" = "b" })");
  for (const auto& [name, value] : *node->as_table()) {
    if (!value.is_string())
      fail(key, R"(must be a table of strings, e.g. { "a" = "b" })");
    out[std::string{name}] = value.as_string()->get();
  }
}

void table_reader::share(std::string_view key, double& out) {
  if (const auto* node = find(key)) {
    const auto value = node->is_boolean() ? std::nullopt : node->value<double>();
    if (!(value >= 0.0 && value <= 1.0)) // not even NaN
      fail(key, "must be a number between 0 and 1");
    out = *value;
  }
}

void table_reader::amount(std::string_view key, std::uint64_t& out) {
  if (const auto* node = find(key)) {
    constexpr double most = 1e9;
    const auto value = node->is_boolean() ? std::nullopt : node->value<double>();
    if (!(value >= 0.0 && value <= most)) // not even NaN
      fail(key, "must be an amount from 0 to 1000000000");
    out = static_cast<std::uint64_t>(std::llround(*value * 1e6));
  }
}

const toml::node* table_reader::any(std::string_view key) {
  return find(key);
}

void table_reader::table(std::string_view key, const std::function<void(table_reader&)>& read) {
  if (const auto* node = find(key)) {
    if (!node->is_table())
      fail(key, "must be a table: [" + full_name(key) + "]");
    table_reader sub{*node->as_table(), file_, full_name(key)};
    read(sub);
    sub.finish();
  }
}

void table_reader::tables(std::string_view key, const std::function<void(table_reader&)>& read) {
  const auto* node = find(key);
  if (!node)
    return;
  const auto* array = node->as_array();
  if (!array
      || !std::all_of(array->begin(), array->end(), [](const auto& x) { return x.is_table(); }))
    fail(key, "must be an array of tables: [[" + full_name(key) + "]]");
  for (std::size_t i = 0; i < array->size(); ++i) {
    table_reader sub{*array->get(i)->as_table(), file_,
                     full_name(key) + "[" + std::to_string(i) + "]"};
    read(sub);
    sub.finish();
  }
}

void table_reader::finish() const {
  for (const auto& [key, node] : table_) {
    const std::string_view name = key.str();
    if (known_.contains(name))
      continue;
    std::string problem = "is not a known key";
    for (const auto& candidate : known_)
      if (edit_distance(name, candidate) <= 2)
        problem += "; did you mean \"" + candidate + "\"?";
    fail(name, problem);
  }
}

void table_reader::fail(std::string_view key, const std::string& problem) const {
  auto line = table_.source().begin.line;
  for (const auto& [name, node] : table_)
    if (name.str() == key)
      line = name.source().begin.line ? name.source().begin.line : node.source().begin.line;
  throw config_error{file_ + ":" + std::to_string(line) + ": " + full_name(key) + " " + problem};
}

const toml::node* table_reader::find(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

std::optional<std::int64_t> table_reader::integer(std::string_view key, std::int64_t min,
                                                  std::int64_t max) {
  const auto* node = find(key);
  if (!node)
    return std::nullopt;
  if (!node->is_integer())
    fail(key, "must be a whole number");
  const auto value = node->as_integer()->get();
  if (value < min || value > max)
    fail(key, "is " + std::to_string(value) + "; it must be between " + std::to_string(min)
                  + " and " + std::to_string(max));
  return value;
}

std::string table_reader::full_name(std::string_view key) const {
  return path_.empty() ? std::string{key} : path_ + "." + std::string{key};
}

} // namespace lang_agent
