/// Reads JSON objects in which every member is known. Private to http/.
#pragma once

#include "http/json.hpp"
#include "http/thread_json.hpp"

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace lang_agent::http {

/// Reads the members of one object; each is asked for once, and what nobody asked for is an error.
class object_reader {
public:
  object_reader(const dom::value& object, std::string path) : path_(std::move(path)) {
    for (const auto& x : object.GetObject())
      if (!members_.try_emplace(std::string{dom::text(x.name)}, &x.value).second)
        fail(std::string{dom::text(x.name)}, "it is given twice");
  }

  /// Also as JSON null.
  bool has(const std::string& name) const {
    return members_.contains(name);
  }

  bool has_null(const std::string& name) const {
    const auto found = members_.find(name);
    return found != members_.end() && found->second->IsNull();
  }

  /// Null: it is absent or JSON null.
  const dom::value* take(const std::string& name) {
    const auto found = members_.find(name);
    if (found == members_.end())
      return nullptr;
    const auto* out = found->second;
    members_.erase(found);
    return out->IsNull() ? nullptr : out;
  }

  template <class Number>
  void count(const std::string& name, Number& out, std::uint64_t most, std::uint64_t least = 0) {
    const auto* x = take(name);
    if (!x)
      return;
    if (!x->IsUint64() || x->GetUint64() > most || x->GetUint64() < least)
      return fail(name, "it must be a whole number from " + std::to_string(least) + " to "
                            + std::to_string(most));
    out = static_cast<Number>(x->GetUint64());
  }

  void amount(const std::string& name, std::uint64_t& out) {
    const auto* x = take(name);
    if (!x)
      return;
    if (!x->IsNumber() || !(x->GetDouble() >= 0 && x->GetDouble() <= 1e9))
      return fail(name, "it must be an amount from 0 to 1000000000");
    out = static_cast<std::uint64_t>(std::llround(x->GetDouble() * 1e6));
  }

  template <class Enum>
  void word(const std::string& name, std::optional<Enum>& out,
            std::initializer_list<std::pair<const char*, Enum>> words) {
    const auto* x = take(name);
    if (!x)
      return;
    for (const auto& [word, meaning] : words)
      if (x->IsString() && dom::text(*x) == word)
        out = meaning;
    if (!out)
      fail(name, std::string{"it must be \""} + words.begin()->first + "\" or \""
                     + (words.begin() + 1)->first + "\"");
  }

  void fail(const std::string& name, const std::string& problem) {
    if (!problem_)
      problem_ = invalid_field(path_ + name, problem);
  }

  /// The first problem.
  std::optional<failure> finish() {
    if (!members_.empty())
      fail(members_.begin()->first, "no such field is known");
    return std::move(problem_);
  }

private:
  std::string path_;
  std::map<std::string, const dom::value*> members_;
  std::optional<failure> problem_;
};

} // namespace lang_agent::http
