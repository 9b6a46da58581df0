/// RapidJSON as the codecs use it. Private to http/*.cpp: nobody else includes it.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http::dom {

using value = rapidjson::Value;

inline std::string_view text(const value& x) {
  return {x.GetString(), x.GetStringLength()};
}

/// The member `name`, or null when it is absent or JSON null.
inline const value* find(const value& object, const char* name) {
  const auto i = object.FindMember(name);
  return i == object.MemberEnd() || i->value.IsNull() ? nullptr : &i->value;
}

inline const value* find_string(const value& object, const char* name) {
  const auto* x = find(object, name);
  return x && x->IsString() ? x : nullptr;
}

/// Compact JSON of a value.
inline std::string dump(const value& x) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
  x.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

/// Text for RapidJSON to parse in place, so that strings need no copies of their own. What it reads
/// ahead of the end, 16 bytes at a time, belongs to the text.
class parsable_text {
public:
  explicit parsable_text(std::string_view text);

  char* data() {
    return bytes_.get();
  }

private:
  std::unique_ptr<char[]> bytes_;
};

/// A document with room for the values of a common body in it. RapidJSON's own would take 64 KiB
/// for each, however small, which is more work than the parsing.
class roomy_document {
public:
  roomy_document() = default;
  roomy_document(const roomy_document&) = delete;
  roomy_document& operator=(const roomy_document&) = delete;

  rapidjson::Document& operator*() {
    return document_;
  }
  const rapidjson::Document& operator*() const {
    return document_;
  }

private:
  static constexpr std::size_t more = 8192; ///< at a time, for larger bodies

  alignas(std::max_align_t) std::array<char, 2048> room_;
  rapidjson::MemoryPoolAllocator<> values_{room_.data(), room_.size(), more};
  rapidjson::Document document_{&values_};
};

/// A JSON value that we have written, or checked, ourselves.
class known_document {
public:
  explicit known_document(std::string_view json);

  const value& root() const {
    return *document_;
  }

private:
  parsable_text text_; ///< the document refers to it
  roomy_document document_;
};

/// A parsed JSON object that also knows where in the text its parts stand, so that what we do not
/// change can travel byte for byte.
class spanned_document {
public:
  /// A member of the root object.
  struct member {
    const value* name;
    const value* content;
    std::string_view raw;               ///< its value in the text
    std::vector<std::string_view> rows; ///< of "messages" and "instructions": their elements
  };

  enum class outcome { ok, malformed, too_deep, not_an_object };

  /// Parses strictly: valid UTF-8, one document, no NUL bytes. `text` must outlive this.
  outcome parse(std::string_view text, unsigned max_depth);

  /// Where and why the text is malformed.
  const std::string& problem() const {
    return problem_;
  }

  const std::vector<member>& members() const {
    return members_;
  }

  /// The object, when it was parsed.
  const value& root() const {
    return *document_;
  }

private:
  outcome malformed(std::string_view what, std::size_t offset);

  std::optional<parsable_text> parsed_; ///< the document refers to it
  roomy_document document_;
  std::vector<member> members_;
  std::string problem_;
};

} // namespace lang_agent::http::dom
