/// Places in a JSON document that know where they are, for messages about what is wrong with it.
/// Private to result.cpp.
#pragma once

#include <rapidjson/document.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lang_agent::report {

/// A value, or its absence; JSON null counts as absent. Reading a value of another type throws.
class node {
public:
  /// `label` must outlive this.
  node(const rapidjson::Value* value, std::string path, const std::string& label)
      : value_{value && value->IsNull() ? nullptr : value},
        path_{std::move(path)},
        label_{&label} {}

  explicit operator bool() const {
    return value_;
  }

  const std::string& label() const {
    return *label_;
  }

  /// A member of an object; absent where this is.
  node operator[](const char* name) const;

  /// An element of an array; absent when it has fewer.
  node at(unsigned index) const;

  std::optional<double> number() const;

  /// A number from 0 on; 0 when absent.
  double count() const;

  std::optional<int> integer() const;

  /// Empty when absent.
  std::string text() const;

  /// False when absent.
  bool flag() const;

  void for_each(const std::function<void(const node&)>& f) const;
  void for_each_member(const std::function<void(const std::string&, const node&)>& f) const;

  [[noreturn]] void fail(const std::string& problem) const;

private:
  const rapidjson::Value* value_;
  std::string path_;
  const std::string* label_;
};

/// The text must outlive the document.
class node_document {
public:
  /// Throws std::runtime_error for what is no JSON object.
  node_document(std::string_view json, std::string label);

  node root() const {
    return {&document_, "", label_};
  }

private:
  std::string label_;
  rapidjson::Document document_;
};

} // namespace lang_agent::report
