/// What goes to an OpenAI-compatible upstream and what comes back, between JSON and domain types.
#pragma once

#include "http/redaction.hpp"
#include "messages/chat.hpp"
#include "messages/error.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace lang_agent::http {

/// The request body for an upstream: stored fragments are copied, not serialized again.
/// `model` replaces the client's unless empty. Streams ask for usage, unless they
/// must not.
std::string encode_upstream_request(const chat_parameters& parameters, const message_list& prompt,
                                    const std::string& model, bool replay_reasoning);

/// A whole chat.completion. `prompt_tokens` is the estimate to use where the upstream has no usage.
std::variant<answer, failure> decode_answer(std::string_view body, std::uint64_t prompt_tokens,
                                            const redaction& redact = {});

/// The failure that an upstream's error answer means to the client.
failure decode_upstream_error(int status, std::string_view body, std::string_view retry_after,
                              const redaction& redact = {});

/// The same for an error inside an answer with status 200: it may say itself which it would be.
failure decode_error_inside(std::string_view body, const redaction& redact = {});

} // namespace lang_agent::http
