#include "benchmarks/simulator/refusal.hpp"

#include "benchmarks/simulator/exchange.hpp"

namespace lang_agent::simulator {

namespace {

constexpr std::string_view invalid = "invalid_request_error";

/// In whole seconds, as HTTP has it, and exactly, as OpenAI adds.
std::string retry_fields(const fault_rule& rule) {
  if (!rule.retry_after)
    return {};
  const auto exact = rule.retry_after->count();
  return "retry-after: " + std::to_string((exact + 999) / 1000)
         + "\r\nretry-after-ms: " + std::to_string(exact) + "\r\n";
}

} // namespace

std::string server_error_body() {
  return error_body("The server had an error while processing your request. Sorry about that!",
                    "server_error");
}

std::optional<refusal> refusal_of(const fault_rule& rule, std::string_view key,
                                  std::string_view model) {
  const std::string name{model};
  switch (rule.kind) {
  case fault_kind::rate_limit:
    return refusal{429,
                   error_body("Rate limit reached for " + name
                                  + " on requests per min (RPM): Limit 3, Used 3, Requested 1.",
                              "requests", {}, "rate_limit_exceeded"),
                   retry_fields(rule)};
  case fault_kind::server_error:
    return refusal{rule.status, server_error_body(), retry_fields(rule)};
  case fault_kind::expired_key:
    return refusal{401, error_body("Incorrect API key provided: " + std::string{key}
                                       + ". You can find your API key in your account's settings.",
                                   invalid, {}, "invalid_api_key")};
  case fault_kind::forbidden:
    return refusal{403,
                   error_body("Country, region, or territory not supported", "request_forbidden",
                              {}, "unsupported_country_region_territory")};
  case fault_kind::not_found_model:
    return refusal{
        404, error_body("The model `" + name + "` does not exist or you do not have access to it.",
                        invalid, {}, "model_not_found")};
  case fault_kind::context_too_long:
    return refusal{400, error_body("This model's maximum context length is 8192 tokens. However, "
                                   "your messages resulted in 9173 tokens. Please reduce the "
                                   "length of the messages.",
                                   invalid, "messages", "context_length_exceeded")};
  case fault_kind::bad_request:
    return refusal{400, error_body("Invalid value for 'messages': this request cannot be answered.",
                                   invalid, "messages", "invalid_value")};
  default:
    return std::nullopt;
  }
}

} // namespace lang_agent::simulator
