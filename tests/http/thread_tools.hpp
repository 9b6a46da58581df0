/// What the tests of the thread API's codecs share.
#pragma once

#include "tests/test.hpp"

#include "http/thread_codec.hpp"
#include "tests/http/json_tools.hpp"

namespace lang_agent::test {

template <class... Ts>
const failure& refused(const std::variant<Ts...>& x) {
  const auto* why = std::get_if<failure>(&x);
  if (!why)
    CAF_FAIL("it was accepted");
  return *why;
}

/// The param of the refusal; empty if there is none.
template <class... Ts>
std::string param_of(const std::variant<Ts...>& x) {
  const auto* why = std::get_if<failure>(&x);
  CAF_CHECK(!why || !why->message.empty());
  return why ? why->param : "";
}

template <class T, class... Ts>
T accepted(const std::variant<Ts...>& x) {
  if (const auto* why = std::get_if<failure>(&x))
    CAF_FAIL("refused: " << why->message);
  if (!std::holds_alternative<T>(x))
    CAF_FAIL("it is something else");
  return std::get<T>(x);
}

inline stored_message stored(std::uint64_t number, const std::string& json) {
  return {number, 1'700'000'000'123, false, messages_of("[" + json + "]").front()};
}

} // namespace lang_agent::test
