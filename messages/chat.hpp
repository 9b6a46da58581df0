/// Domain types of a chat: messages, parameters, deltas, answers. Plain data.
///
/// JSON appears here only as opaque, ready-to-send text that http/ made; nobody else looks inside.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lang_agent {

enum class role : std::uint8_t { system, developer, user, assistant, tool, function };

/// Identity of a message's meaning: role, text, parts, tool calls. Two spellings of the same
/// message (text as string or as parts, nulls or absent fields) have the same digest. Stable across
/// runs.
struct digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const digest&) const = default;
};

/// One message of a conversation, immutable once made.
struct chat_message {
  role who = role::user;
  std::string json;           ///< the whole message object, ready to send upstream
  std::string reasoning = {}; ///< JSON string of `reasoning_content`, kept apart; may be empty
  digest id = {};             ///< see `digest`
  std::vector<std::string> calls = {}; ///< assistant: the ids of its tool calls, in order
  std::string answers = {};            ///< tool: the id of the call that it answers
  bool empty = false;                  ///< assistant: neither content nor calls
  std::uint32_t tokens = 0;            ///< estimated

  bool is_instruction() const {
    return who == role::system || who == role::developer;
  }
};

using message_ptr = std::shared_ptr<const chat_message>;
using message_list = std::vector<message_ptr>;

/// What a request says about one completion, apart from its messages.
struct chat_parameters {
  std::string model;               ///< as the client named it; echoed in answers
  bool stream = false;             ///< the client wants server-sent events
  bool include_usage = false;      ///< ... with a usage chunk at the end
  std::string stream_options = {}; ///< further members of `stream_options`, each after a comma
  bool ask_usage = true;           ///< ask the upstream of a stream for usage
  std::string forwarded = {}; ///< all other members, each after a comma, as the client wrote them
  std::optional<std::int64_t> max_tokens = {}; ///< limit on the answer, whichever field named it
  std::uint32_t choices = 1;                   ///< `n`
};

/// How much of a thread the upstream sees in a turn, in messages.
struct context_size {
  std::size_t used = 0;
  std::size_t total = 0;
};

/// When a turn passed its stations; the epoch where it has not yet.
struct turn_stations {
  using time_point = std::chrono::steady_clock::time_point;

  time_point begun = {};    ///< its thread was free for it
  time_point ordered = {};  ///< its prompt was ready
  time_point asked = {};    ///< the attempt that answered began
  time_point answered = {}; ///< the answer was complete
  time_point stored = {};
};

/// Where an answer comes from: for response headers and the log.
struct answer_origin {
  std::string upstream;
  unsigned attempts = 1;       ///< at all upstreams together
  std::string dropped = {};    ///< parameters that it was not told, separated by ", "
  turn_stations stations = {}; ///< up to the attempt
};

using origin_ptr = std::shared_ptr<const answer_origin>;

/// Tokens of one completion.
struct token_usage {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  std::string json = {};  ///< the whole usage object, ready to send
  bool estimated = false; ///< the upstream reported none
};

/// A piece of one choice of a streamed answer.
struct choice_delta {
  std::uint32_t index = 0;        ///< which choice
  std::string content = {};       ///< text to append
  std::string members = {};       ///< other members of `delta`, each after a comma
  std::string logprobs = {};      ///< JSON; empty is null
  std::string chunk_members = {}; ///< members beside `choices`, each after a comma

  /// Bytes that this delta takes as an event, about: its parts and what stands around them. Never
  /// more than it really takes (see `undrained`).
  std::size_t cost() const {
    return content.size() + members.size() + logprobs.size() + chunk_members.size() + 190;
  }
};

/// One finished choice.
struct answer_choice {
  std::uint32_t index = 0;
  std::string message = {}; ///< JSON object, strictly OpenAI-shaped
  std::string finish_reason = {};
  std::string logprobs = {}; ///< JSON; empty is null
};

/// A complete answer of an upstream.
struct answer {
  std::vector<answer_choice> choices = {}; ///< ordered by index, at least one
  token_usage usage = {};
  std::string members = {}; ///< other top-level members, each after a comma
  message_ptr message = {}; ///< the first choice, as it enters the history
};

} // namespace lang_agent
