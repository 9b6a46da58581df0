#include "http/dom.hpp"

namespace lang_agent::http::dom {

namespace {

/// The members whose elements are noted, too: only of messages is their text needed.
bool has_rows(std::string_view member) {
  return member == "messages" || member == "instructions";
}

struct span {
  std::size_t begin;
  std::size_t end;
};

/// Feeds a document and notes where the root's members and the elements of its arrays stand.
/// Stops at the depth limit: the reader recurses with the nesting.
class span_handler {
public:
  span_handler(rapidjson::Document& document, rapidjson::MemoryStream& stream,
               std::string_view text, unsigned max_depth)
      : document_(document), stream_(stream), text_(text), max_depth_(max_depth) {}

  bool Null() {
    return document_.Null() && value_end();
  }
  bool Bool(bool x) {
    return document_.Bool(x) && value_end();
  }
  bool Int(int x) {
    return document_.Int(x) && value_end();
  }
  bool Uint(unsigned x) {
    return document_.Uint(x) && value_end();
  }
  bool Int64(std::int64_t x) {
    return document_.Int64(x) && value_end();
  }
  bool Uint64(std::uint64_t x) {
    return document_.Uint64(x) && value_end();
  }
  bool Double(double x) {
    return document_.Double(x) && value_end();
  }
  bool RawNumber(const char* x, rapidjson::SizeType n, bool copy) {
    return document_.RawNumber(x, n, copy) && value_end();
  }
  bool String(const char* x, rapidjson::SizeType n, bool copy) {
    return check_text({x, n}) && document_.String(x, n, copy) && value_end();
  }
  bool Key(const char* x, rapidjson::SizeType n, bool copy) {
    if (!check_text({x, n}))
      return false;
    if (depth_ == 1) {
      has_rows_ = has_rows({x, n});
      // The value starts after the colon.
      auto i = text_.find(':', stream_.Tell());
      begin_ = text_.find_first_not_of(" \t\r\n", i + 1);
    }
    return document_.Key(x, n, copy);
  }
  bool StartObject() {
    return enter() && document_.StartObject();
  }
  bool EndObject(rapidjson::SizeType n) {
    return document_.EndObject(n) && leave();
  }
  bool StartArray() {
    return enter() && document_.StartArray();
  }
  bool EndArray(rapidjson::SizeType n) {
    return document_.EndArray(n) && leave();
  }

  bool too_deep() const {
    return too_deep_;
  }
  bool lone_surrogate() const {
    return lone_surrogate_;
  }

  std::vector<span> members;
  std::vector<std::vector<span>> rows;

private:
  /// RapidJSON 1.1 lets "\udc00" pass, which has no UTF-8.
  bool check_text(std::string_view x) {
    for (auto i = x.find('\xed'); i != std::string_view::npos; i = x.find('\xed', i + 1))
      if (i + 1 < x.size() && static_cast<unsigned char>(x[i + 1]) >= 0xa0)
        lone_surrogate_ = true;
    return !lone_surrogate_;
  }

  bool enter() {
    if (depth_ == 2)
      row_begin_ = stream_.Tell() - 1;
    too_deep_ = ++depth_ > max_depth_;
    return !too_deep_;
  }

  bool leave() {
    --depth_;
    return value_end();
  }

  bool value_end() {
    if (depth_ == 2) {
      if (has_rows_)
        current_rows_.push_back({row_begin_, stream_.Tell()});
    } else if (depth_ == 1) {
      members.push_back({begin_, stream_.Tell()});
      rows.push_back(std::move(current_rows_));
      current_rows_.clear();
    }
    return true;
  }

  rapidjson::Document& document_;
  rapidjson::MemoryStream& stream_;
  std::string_view text_;
  unsigned max_depth_;
  unsigned depth_ = 0;
  bool too_deep_ = false;
  bool lone_surrogate_ = false;
  std::size_t begin_ = 0;
  bool has_rows_ = false;
  std::size_t row_begin_ = 0;
  std::vector<span> current_rows_;
};

} // namespace

spanned_document::outcome spanned_document::parse(std::string_view text, unsigned max_depth) {
  rapidjson::MemoryStream stream{text.data(), text.size()};
  span_handler spans{document_, stream, text, max_depth};
  rapidjson::ParseResult result;
  auto generate = [&](rapidjson::Document&) {
    rapidjson::Reader reader;
    result = reader.Parse<rapidjson::kParseValidateEncodingFlag>(stream, spans);
    return !result.IsError();
  };
  // The reader takes a NUL byte for the end of its input.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    problem_ = "NUL byte at offset " + std::to_string(nul);
    return outcome::malformed;
  }
  document_.Populate(generate);
  if (spans.too_deep())
    return outcome::too_deep;
  if (result.IsError()) {
    problem_ = std::string{spans.lone_surrogate() ? "A surrogate has no other half."
                                                  : rapidjson::GetParseError_En(result.Code())}
               + " (offset " + std::to_string(result.Offset()) + ")";
    return outcome::malformed;
  }
  if (!document_.IsObject())
    return outcome::not_an_object;
  const auto cut = [&](span x) { return text.substr(x.begin, x.end - x.begin); };
  members_.reserve(document_.MemberCount());
  std::size_t i = 0;
  for (const auto& x : document_.GetObject()) {
    auto& added = members_.emplace_back(member{&x.name, &x.value, cut(spans.members[i]), {}});
    if (x.value.IsArray())
      for (const auto row : spans.rows[i])
        added.rows.push_back(cut(row));
    ++i;
  }
  return outcome::ok;
}

} // namespace lang_agent::http::dom
