#include "http/dom.hpp"

#include <cstdint>
#include <cstring>

namespace lang_agent::http::dom {

namespace {

/// What RapidJSON may read behind the end.
constexpr std::size_t padding = 16;
/// Requests and answers seldom have more.
constexpr std::size_t common_members = 12;

/// How many bytes from the start on are valid UTF-8.
std::size_t valid_utf8(std::string_view text) {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  rapidjson::MemoryStream in{text.data(), text.size()};
  while (in.Tell() < text.size()) {
    std::uint64_t eight = 0;
    if (text.size() - in.Tell() >= sizeof eight) {
      std::memcpy(&eight, text.data() + in.Tell(), sizeof eight);
      if ((eight & high_bits) == 0) {
        in.src_ += sizeof eight;
        continue;
      }
    }
    const auto begin = in.Tell();
    unsigned character = 0;
    if (!rapidjson::UTF8<>::Decode(in, &character))
      return begin;
  }
  return text.size();
}

/// The members whose elements are noted, too: only of messages is their text needed.
bool has_rows(std::string_view member) {
  return member == "messages" || member == "instructions";
}

constexpr const char* blanks = " \t\r\n";

/// Feeds a document and notes where the root's members and the elements of its arrays stand.
/// Stops at the depth limit: the reader recurses with the nesting.
class span_handler {
public:
  span_handler(rapidjson::Document& document, std::vector<spanned_document::member>& members,
               rapidjson::InsituStringStream& stream, std::string_view text, unsigned max_depth)
      : document_(document),
        members_(members),
        stream_(stream),
        begin_of_parsed_(stream.src_),
        text_(text),
        max_depth_(max_depth) {}

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
      const auto at = static_cast<std::size_t>(x - begin_of_parsed_);
      end_member(at - 1);
      // The value starts after the colon.
      const auto colon = text_.find(':', string_end(at));
      begin_ = text_.find_first_not_of(blanks, colon + 1);
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
    if (--depth_ == 0)
      end_member(stream_.Tell() - 1);
    return value_end();
  }

  /// The member before ends here, but for a comma. The stream does not tell where its value ended:
  /// the reader works on a copy while it reads strings and numbers.
  void end_member(std::size_t limit) {
    if (!in_member_)
      return;
    in_member_ = false;
    auto last = text_.find_last_not_of(blanks, limit - 1);
    if (text_[last] == ',')
      last = text_.find_last_not_of(blanks, last - 1);
    // Names and values have no place of their own before the root is complete.
    members_.push_back({nullptr, nullptr, between(begin_, last + 1), std::move(rows_)});
    rows_.clear();
  }

  /// Of a string that begins there, behind its quote.
  std::size_t string_end(std::size_t at) const {
    for (; text_[at] != '"'; ++at)
      at += text_[at] == '\\';
    return at;
  }

  bool value_end() {
    if (depth_ == 2 && has_rows_)
      rows_.push_back(between(row_begin_, stream_.Tell()));
    in_member_ = in_member_ || depth_ == 1;
    return true;
  }

  std::string_view between(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end - begin);
  }

  rapidjson::Document& document_;
  std::vector<spanned_document::member>& members_;
  rapidjson::InsituStringStream& stream_;
  const char* begin_of_parsed_;
  std::string_view text_;
  unsigned max_depth_;
  unsigned depth_ = 0;
  bool too_deep_ = false;
  bool lone_surrogate_ = false;
  std::size_t begin_ = 0;
  bool in_member_ = false;
  bool has_rows_ = false;
  std::size_t row_begin_ = 0;
  std::vector<std::string_view> rows_; ///< of the member being read
};

} // namespace

parsable_text::parsable_text(std::string_view text)
    : bytes_(std::make_unique_for_overwrite<char[]>(text.size() + padding)) {
  std::memcpy(bytes_.get(), text.data(), text.size());
  std::memset(bytes_.get() + text.size(), 0, padding);
}

known_document::known_document(std::string_view json) : text_(json) {
  (*document_).ParseInsitu(text_.data());
}

spanned_document::outcome spanned_document::malformed(std::string_view what, std::size_t offset) {
  problem_ = std::string{what} + " (offset " + std::to_string(offset) + ")";
  return outcome::malformed;
}

spanned_document::outcome spanned_document::parse(std::string_view text, unsigned max_depth) {
  // The reader takes a NUL byte for the end of its input.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    problem_ = "NUL byte at offset " + std::to_string(nul);
    return outcome::malformed;
  }
  if (const auto valid = valid_utf8(text); valid < text.size())
    return malformed(rapidjson::GetParseError_En(rapidjson::kParseErrorStringInvalidEncoding),
                     valid);
  parsed_.emplace(text);
  rapidjson::InsituStringStream stream{parsed_->data()};
  members_.reserve(common_members);
  span_handler spans{*document_, members_, stream, text, max_depth};
  rapidjson::ParseResult result;
  auto generate = [&](rapidjson::Document&) {
    rapidjson::Reader reader;
    result = reader.Parse<rapidjson::kParseInsituFlag>(stream, spans);
    return !result.IsError();
  };
  (*document_).Populate(generate);
  if (spans.too_deep())
    return outcome::too_deep;
  if (result.IsError())
    return malformed(spans.lone_surrogate() ? "A surrogate has no other half."
                                            : rapidjson::GetParseError_En(result.Code()),
                     result.Offset());
  if (!(*document_).IsObject())
    return outcome::not_an_object;
  auto next = members_.begin();
  for (const auto& x : (*document_).GetObject()) {
    next->name = &x.name;
    next->content = &x.value;
    ++next;
  }
  return outcome::ok;
}

} // namespace lang_agent::http::dom
