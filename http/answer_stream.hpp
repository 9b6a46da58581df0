/// A streamed answer of an upstream: from the data of its events to deltas and the whole answer.
#pragma once

#include "http/redaction.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent::http {

/// Decodes the data of a stream's events and puts the complete answer together.
class answer_stream {
public:
  /// `choices`: how many were asked for.
  answer_stream(std::size_t max_bytes, std::uint64_t prompt_tokens, std::uint32_t choices = 1,
                redaction redact = {});
  ~answer_stream();

  /// One event's data. Appends what the client should see now to `out`; finish reasons and usage
  /// are kept back for `finish`. Returns what is wrong with the event, if anything.
  std::optional<failure> add(std::string_view data, std::vector<choice_delta>& out);

  /// A body that is one whole chat.completion, from an upstream that does not stream.
  std::optional<failure> add_whole(std::string_view body, std::vector<choice_delta>& out);

  /// "[DONE]" was there.
  bool done() const {
    return done_;
  }

  /// Whether the stream may end here: [DONE] after content, or a finish reason for every choice
  /// that was asked for.
  bool complete() const;

  /// The complete answer. Call once, when `complete()`.
  answer finish();

private:
  struct choice;

  std::optional<failure> grow(std::size_t bytes);

  std::map<std::uint32_t, choice> choices_;
  token_usage usage_;
  std::string members_;
  std::size_t bytes_ = 0;
  std::size_t max_bytes_;
  std::uint64_t prompt_tokens_;
  std::uint32_t wanted_;
  std::uint32_t finished_ = 0; ///< choices with a finish reason
  redaction redact_;
  bool done_ = false;
};

} // namespace lang_agent::http
