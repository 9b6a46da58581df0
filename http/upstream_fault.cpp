#include "http/upstream_fault.hpp"

namespace lang_agent::http {

namespace {

const char* words_for(error_kind kind) {
  switch (kind) {
  case error_kind::upstream_connect_timeout:
    return "The upstream model could not be reached in time. Please retry.";
  case error_kind::upstream_tls_timeout:
    return "The upstream model took too long to agree on a secure connection. Please retry.";
  case error_kind::upstream_first_token_timeout:
    return "The upstream model did not begin its answer in time. Please retry; a shorter prompt "
           "may help.";
  case error_kind::upstream_idle_timeout:
    return "The upstream model stopped in the middle of its answer. Please retry.";
  default:
    return "The upstream model took too long for its whole answer. A shorter answer may help: "
           "lower max_tokens, or ask for less.";
  }
}

} // namespace

upstream_fault unreachable(std::string detail) {
  return {{error_kind::upstream_unreachable, "The upstream model cannot be reached. Please retry."},
          std::move(detail)};
}

upstream_fault tls_failed(std::string detail) {
  return {{error_kind::upstream_tls_failed,
           "No secure connection to the upstream model could be made. If a retry does not help, "
           "the operator of this server has to check the upstream's certificate settings."},
          std::move(detail)};
}

upstream_fault no_answer(std::string detail) {
  return {{error_kind::upstream_error,
           "The upstream model closed the connection without an answer. Please retry."},
          std::move(detail)};
}

upstream_fault broke_off(std::string detail) {
  return {{error_kind::upstream_cut, "The upstream model's answer broke off. Please retry."},
          std::move(detail)};
}

upstream_fault too_late(error_kind kind) {
  return {{kind, words_for(kind)}, "timeout"};
}

} // namespace lang_agent::http
