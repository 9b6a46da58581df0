#include "benchmarks/load/chunk_reader.hpp"

#include <rapidjson/memorystream.h>

#include <array>
#include <utility>

namespace lang_agent::load {

namespace {

/// The members that matter.
enum class name : std::uint8_t {
  other,
  choices,
  delta,
  message,
  content,
  reasoning,
  finish_reason,
  usage,
  prompt_tokens,
  completion_tokens,
  error,
  code,
  type
};

name name_of(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, name>, 15> names{
      {{"choices", name::choices},
       {"delta", name::delta},
       {"message", name::message},
       {"content", name::content},
       {"refusal", name::content},
       {"reasoning", name::reasoning},
       {"reasoning_content", name::reasoning},
       {"finish_reason", name::finish_reason},
       {"usage", name::usage},
       {"prompt_tokens", name::prompt_tokens},
       {"completion_tokens", name::completion_tokens},
       {"error", name::error},
       {"code", name::code},
       {"type", name::type},
       {"detail", name::message}}}; // FastAPI's word for it
  for (const auto& [known, x] : names)
    if (known == text)
      return x;
  return name::other;
}

/// Knows where in the object it is, as far down as there is something to see.
class handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, handler> {
public:
  explicit handler(chunk& out) : out_(out) {}

  bool StartObject() {
    return enter();
  }
  bool EndObject(rapidjson::SizeType) {
    return leave();
  }
  bool StartArray() {
    return depth_ > 0 && enter(); // at the top only an object makes sense
  }
  bool EndArray(rapidjson::SizeType) {
    return leave();
  }

  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (depth_ < path_.size())
      path_[depth_] = name_of({text, size});
    if (depth_ == 1 && path_[1] == name::error)
      has_error_ = true;
    return true;
  }

  bool String(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view value{text, size};
    if (is_said())
      out_.content += value;
    else if (depth_ == 1 && (path_[1] == name::error || path_[1] == name::message))
      take_error(out_.error_message, value); // {"error": "words"}, {"message": "words"}
    else if (depth_ == 2 && path_[1] == name::error)
      take_error_member(value);
    return depth_ > 0;
  }

  bool Null() {
    if (depth_ == 1 && path_[1] == name::error)
      has_error_ = false;
    if (depth_ == 3 && path_[1] == name::choices && path_[3] == name::finish_reason)
      out_.unfinished = true;
    return depth_ > 0;
  }

  bool Uint(unsigned x) {
    return take_number(x);
  }
  bool Uint64(std::uint64_t x) {
    return take_number(x);
  }
  bool Int(int) {
    return depth_ > 0;
  }
  bool Int64(std::int64_t) {
    return depth_ > 0;
  }
  bool Double(double) {
    return depth_ > 0;
  }
  bool Bool(bool) {
    return depth_ > 0;
  }

  bool has_error() const {
    return has_error_;
  }

private:
  bool enter() {
    ++depth_;
    if (depth_ < path_.size())
      path_[depth_] = name::other;
    return true;
  }

  bool leave() {
    --depth_;
    return true;
  }

  /// choices, its element, delta or message, content
  bool is_said() const {
    return depth_ == 4 && path_[1] == name::choices
           && (path_[3] == name::delta || path_[3] == name::message)
           && (path_[4] == name::content || path_[4] == name::reasoning);
  }

  static void take_error(std::string& to, std::string_view value) {
    to = value.substr(0, 300);
  }

  void take_error_member(std::string_view value) {
    if (path_[2] == name::code)
      take_error(out_.error_code, value);
    else if (path_[2] == name::type)
      take_error(out_.error_type, value);
    else if (path_[2] == name::message)
      take_error(out_.error_message, value);
  }

  bool take_number(std::uint64_t x) {
    if (depth_ == 2 && path_[1] == name::usage) {
      if (path_[2] == name::prompt_tokens)
        out_.prompt_tokens = x;
      else if (path_[2] == name::completion_tokens)
        out_.completion_tokens = x;
    }
    return depth_ > 0;
  }

  chunk& out_;
  std::size_t depth_ = 0;
  std::array<name, 5> path_ = {}; ///< the member that is open at each depth
  bool has_error_ = false;
};

void clear(chunk& x) {
  x.content.clear();
  x.is_error = x.unfinished = false;
  x.error_code.clear();
  x.error_type.clear();
  x.error_message.clear();
  x.prompt_tokens.reset();
  x.completion_tokens.reset();
}

} // namespace

const chunk* chunk_reader::read(std::string_view json) {
  clear(chunk_);
  handler into{chunk_};
  rapidjson::MemoryStream in{json.data(), json.size()};
  // Iterative: what a target sends may be nested as deeply as it likes.
  if (reader_.Parse<rapidjson::kParseIterativeFlag>(in, into).IsError())
    return nullptr;
  chunk_.is_error = into.has_error();
  return &chunk_;
}

} // namespace lang_agent::load
