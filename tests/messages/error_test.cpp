#define CAF_SUITE error
#include "tests/test.hpp"

#include <set>
#include <tuple>

using namespace lang_agent;

namespace {

std::vector<error_kind> all_kinds() {
  std::vector<error_kind> out;
  for (int i = 0; i < static_cast<int>(error_kind_count); ++i)
    out.push_back(static_cast<error_kind>(i));
  return out;
}

} // namespace

CAF_TEST(every kind has a status and a type) {
  const std::set<std::string_view> types{"invalid_request_error", "rate_limit_error",
                                         "insufficient_quota",    "service_unavailable_error",
                                         "server_error",          "upstream_error"};
  for (const auto kind : all_kinds()) {
    const auto& contract = contract_of(kind);
    CAF_MESSAGE(static_cast<int>(kind));
    CAF_CHECK_GREATER_OR_EQUAL(contract.status, 400);
    CAF_CHECK_LESS(contract.status, 600);
    CAF_CHECK(types.contains(contract.type));
    // Who is at fault shows in both.
    CAF_CHECK_EQUAL(contract.status < 500, contract.type == "invalid_request_error"
                                               || contract.type == "rate_limit_error"
                                               || contract.type == "insufficient_quota");
    CAF_CHECK_EQUAL(contract.status == 429,
                    contract.type == "rate_limit_error" || kind == error_kind::insufficient_quota);
    CAF_CHECK_EQUAL(contract.status == 503, contract.type == "service_unavailable_error");
  }
}

CAF_TEST(codes tell the kinds apart) {
  std::set<std::string_view> codes;
  std::size_t named = 0;
  for (const auto kind : all_kinds())
    if (const auto code = contract_of(kind).code; !code.empty()) {
      codes.insert(code);
      ++named;
    }
  // A limit of ours and one of the upstream look the same.
  CAF_CHECK_EQUAL(contract_of(error_kind::rate_limit_exceeded).code,
                  contract_of(error_kind::upstream_rate_limited).code);
  CAF_CHECK_EQUAL(codes.size() + 1, named);
  // Only these two say what is wrong by their message and param alone.
  CAF_CHECK_EQUAL(named + 2, all_kinds().size());
  CAF_CHECK(contract_of(error_kind::invalid_request).code.empty());
  CAF_CHECK(contract_of(error_kind::upstream_rejected).code.empty());
}

CAF_TEST(a failure may have a status of its own) {
  failure why{error_kind::upstream_rejected, "m"};
  CAF_CHECK_EQUAL(why.http_status(), 400);
  why.status = 429;
  CAF_CHECK_EQUAL(why.http_status(), 429);
}

CAF_TEST(a fault of ours says nothing of our inside) {
  const auto why = internal_failure();
  CAF_CHECK_EQUAL(why.http_status(), 500);
  CAF_CHECK(why.message.find("x-request-id") != std::string::npos);
}

CAF_TEST(kinds of threads and storage have the status that clients know) {
  const std::tuple<error_kind, int, std::string_view> table[] = {
      {error_kind::thread_not_found, 404, "thread_not_found"},
      {error_kind::thread_exists, 409, "thread_exists"},
      {error_kind::thread_changed, 409, "thread_changed"},
      {error_kind::idempotency_key_conflict, 409, "idempotency_key_conflict"},
      {error_kind::too_many_threads, 403, "thread_limit_reached"},
      {error_kind::too_many_bytes, 403, "storage_limit_reached"},
      {error_kind::storage_unavailable, 503, "storage_unavailable"},
      {error_kind::client_gone, 499, "client_closed_request"},
      {error_kind::context_too_long, 400, "context_length_exceeded"},
  };
  for (const auto& [kind, status, code] : table) {
    CAF_CHECK_EQUAL(contract_of(kind).status, status);
    CAF_CHECK_EQUAL(contract_of(kind).code, code);
  }
}
