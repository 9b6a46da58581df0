/// Reads one answer while it comes and judges it: what is wrong is an error, however fast it was.
#pragma once

#include "benchmarks/load/chunk_reader.hpp"
#include "benchmarks/load/marker.hpp"
#include "http/sse_parser.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lang_agent::load {

/// What is expected of an answer.
struct expectation {
  bool stream = true;
  bool own_marker = false; ///< the answer has to repeat the prompt's marker
  bool keep_text = false;  ///< for the next turn, where the client keeps the history
  marker asked = {};
};

/// The head of a response, as far as it matters.
struct response_head {
  int status = 0;
  bool is_event_stream = false;
  bool names_thread = false; ///< `x-thread-id`: the target keeps threads
};

class answer {
public:
  explicit answer(const expectation& wanted);

  void begin(const response_head& head) {
    head_ = head;
  }

  /// Part of the body. Returns how many chunks with content were complete in it.
  std::uint32_t add(std::string_view bytes, chunk_reader& reader);

  /// The body is over: `whole`, or it broke off. Returns the kind of error; empty: a good answer.
  std::string finish(bool whole, chunk_reader& reader);

  const response_head& head() const {
    return head_;
  }

  bool has_begun() const {
    return head_.status != 0;
  }

  /// What an error says, for people. May be empty.
  const std::string& complaint() const {
    return complaint_;
  }

  const std::string& text() const {
    return text_;
  }

  /// Chunks with content.
  std::uint64_t chunks() const {
    return chunks_;
  }

  /// As the target counts them; else chunks, and a plain answer as one.
  std::uint64_t output_tokens() const {
    return completion_tokens_ ? *completion_tokens_ : chunks_;
  }
  std::uint64_t input_tokens() const {
    return prompt_tokens_.value_or(0);
  }

private:
  bool reads_events() const {
    return head_.status == 200 && wanted_.stream && head_.is_event_stream;
  }

  void read_event(std::string_view data, chunk_reader& reader);
  void take(const chunk& x);
  void fail(std::string kind);
  std::string refusal(chunk_reader& reader);
  void read_plain(bool whole, chunk_reader& reader);

  expectation wanted_;
  response_head head_;
  http::sse_parser events_;
  std::string body_; ///< of what is no stream
  marker_finder markers_;
  std::string text_;
  std::string error_; ///< the first one
  std::string complaint_;
  std::uint64_t chunks_ = 0;
  std::optional<std::uint64_t> prompt_tokens_;
  std::optional<std::uint64_t> completion_tokens_;
  bool done_ = false;
};

} // namespace lang_agent::load
