#include "benchmarks/load/answer.hpp"

namespace lang_agent::load {

namespace {

constexpr std::size_t largest_event = 1024 * 1024;
constexpr std::size_t largest_answer = 32 * 1024 * 1024;

} // namespace

answer::answer(const expectation& wanted)
    : wanted_(wanted), events_(largest_event), markers_(wanted.asked) {}

std::uint32_t answer::add(std::string_view bytes, chunk_reader& reader) {
  if (!reads_events()) {
    if (body_.size() < largest_answer)
      body_ += bytes;
    return 0;
  }
  const auto before = chunks_;
  if (!events_.feed(bytes, [&](std::string_view data) { read_event(data, reader); }))
    fail("bad_json");
  return static_cast<std::uint32_t>(chunks_ - before);
}

std::string answer::finish(bool whole, chunk_reader& reader) {
  if (!has_begun())
    return "no_answer";
  if (head_.status != 200)
    return refusal(reader);
  if (reads_events() && whole)
    events_.finish([&](std::string_view data) { read_event(data, reader); });
  if (!reads_events())
    read_plain(whole, reader);
  else if (error_.empty() && !whole)
    fail("cut_stream");
  else if (error_.empty() && !done_)
    fail("no_done");
  if (error_.empty() && chunks_ == 0)
    fail("empty_answer");
  // Words of others outweigh all else that may be wrong.
  if (markers_.found_foreign())
    return "foreign_words";
  if (error_.empty() && wanted_.own_marker && !markers_.found_own())
    fail("no_echo");
  return error_;
}

void answer::read_event(std::string_view data, chunk_reader& reader) {
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  const auto* x = reader.read(data);
  if (!x)
    fail("bad_json");
  else if (x->is_error)
    fail("error_in_stream " + (x->error_code.empty() ? x->error_type : x->error_code));
  if (x)
    take(*x);
}

void answer::take(const chunk& x) {
  if (x.prompt_tokens)
    prompt_tokens_ = x.prompt_tokens;
  if (x.completion_tokens)
    completion_tokens_ = x.completion_tokens;
  if (x.is_error)
    complaint_ = x.error_message;
  if (x.content.empty())
    return;
  ++chunks_;
  markers_.add(x.content);
  if (wanted_.keep_text)
    text_ += x.content;
}

void answer::fail(std::string kind) {
  if (error_.empty())
    error_ = std::move(kind);
}

/// "http_429 rate_limit_exceeded"
std::string answer::refusal(chunk_reader& reader) {
  std::string out = "http_" + std::to_string(head_.status);
  const auto* x = reader.read(body_);
  if (!x)
    return out;
  complaint_ = x->error_message;
  const auto& name = x->error_code.empty() ? x->error_type : x->error_code;
  return name.empty() ? out : out + " " + name;
}

void answer::read_plain(bool whole, chunk_reader& reader) {
  if (!whole) {
    fail("cut_answer");
    return;
  }
  const auto* x = reader.read(body_);
  if (!x) {
    fail(wanted_.stream ? "wrong_type" : "bad_json");
    return;
  }
  if (x->is_error)
    fail("error_in_answer " + (x->error_code.empty() ? x->error_type : x->error_code));
  take(*x);
  if (x->unfinished)
    fail("no_finish");
  if (wanted_.stream) // a stream was asked for
    fail("wrong_type");
}

} // namespace lang_agent::load
