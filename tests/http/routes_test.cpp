#define CAF_SUITE routes
#include "tests/test.hpp"

#include "http/routes.hpp"

using namespace lang_agent;
using http::endpoint;

namespace {

void check_route(const std::string& method, const std::string& path, endpoint target,
                 http::access who, const std::string& parameter) {
  CAF_MESSAGE(method << " " << path);
  const auto found = http::find_route(method, path);
  const auto* to = std::get_if<http::route>(&found);
  CAF_REQUIRE(to);
  CAF_CHECK(to->target == target);
  CAF_CHECK(to->who == who);
  CAF_CHECK_EQUAL(to->parameter, parameter);
}

} // namespace

CAF_TEST(each path leads to its endpoint) {
  struct row {
    const char* method;
    const char* path;
    endpoint target;
    bool open;
    const char* parameter;
  };
  const row table[] = {
      {"GET", "/", endpoint::info, true, ""},
      {"HEAD", "/", endpoint::info, true, ""},
      {"GET", "/health", endpoint::health, true, ""},
      {"HEAD", "/health", endpoint::health, true, ""},
      {"GET", "/v1/models", endpoint::models, false, ""},
      {"GET", "/v1/models/gpt-4", endpoint::model, false, "gpt-4"},
      {"HEAD", "/v1/models/gpt-4", endpoint::model, false, "gpt-4"},
      {"GET", "/v1/models/a/b", endpoint::model, false, "a/b"},
      {"GET", "/v1/models/a%2Fb%20%e4%b8%ad", endpoint::model, false, "a/b 中"},
      {"GET", "/v1/models/100%", endpoint::model, false, "100%"},
      {"GET", "/v1/models/%4", endpoint::model, false, "%4"},
      {"GET", "/v1/models/%zz%4x", endpoint::model, false, "%zz%4x"},
      {"POST", "/v1/chat/completions", endpoint::chat_completions, false, ""},
      {"OPTIONS", "/v1/chat/completions", endpoint::preflight, true, ""},
      {"OPTIONS", "/v1/models/x", endpoint::preflight, true, ""},
      {"OPTIONS", "*", endpoint::preflight, true, ""},
      {"GET", "/v1/threads", endpoint::threads, false, ""},
      {"HEAD", "/v1/threads", endpoint::threads, false, ""},
      {"GET", "/v1/threads/42", endpoint::thread, false, "42"},
      {"HEAD", "/v1/threads/42", endpoint::thread, false, "42"},
      {"PATCH", "/v1/threads/42", endpoint::change_thread, false, "42"},
      {"DELETE", "/v1/threads/42", endpoint::delete_thread, false, "42"},
      {"GET", "/v1/threads/a%2fb%2F", endpoint::thread, false, "a/b/"},
      {"DELETE", "/v1/threads/%2F", endpoint::delete_thread, false, "/"},
      {"GET", "/v1/threads/a+b%20%e4%b8%ad", endpoint::thread, false, "a+b 中"},
      {"GET", "/v1/threads/100%", endpoint::thread, false, "100%"},
      {"GET", "/v1/threads/a%3Fb", endpoint::thread, false, "a?b"},
      {"GET", "/v1/threads/42/messages", endpoint::thread_messages, false, "42"},
      {"HEAD", "/v1/threads/42/messages", endpoint::thread_messages, false, "42"},
      {"GET", "/v1/threads/a%2Fmessages/messages", endpoint::thread_messages, false, "a/messages"},
      {"POST", "/v1/threads/42/fork", endpoint::fork_thread, false, "42"},
      {"GET", "/v1/threads/42/export", endpoint::export_thread, false, "42"},
      {"HEAD", "/v1/threads/42/export", endpoint::export_thread, false, "42"},
      {"POST", "/v1/threads/import", endpoint::import_threads, false, ""},
      {"GET", "/v1/threads/import", endpoint::thread, false, "import"},
      {"PATCH", "/v1/threads/import", endpoint::change_thread, false, "import"},
      {"DELETE", "/v1/threads/import", endpoint::delete_thread, false, "import"},
      {"GET", "/v1/threads/import/messages", endpoint::thread_messages, false, "import"},
      {"GET", "/v1/threads/fork", endpoint::thread, false, "fork"},
      {"GET", "/v1/threads/messages/messages", endpoint::thread_messages, false, "messages"},
      {"OPTIONS", "/v1/threads", endpoint::preflight, true, ""},
      {"OPTIONS", "/v1/threads/42", endpoint::preflight, true, ""},
      {"OPTIONS", "/v1/threads/42/fork", endpoint::preflight, true, ""},
      {"OPTIONS", "/v1/threads/import", endpoint::preflight, true, ""},
  };
  for (const auto& x : table)
    check_route(x.method, x.path, x.target, x.open ? http::access::anybody : http::access::tenant,
                x.parameter);
}

CAF_TEST(the admin API is for admins) {
  struct row {
    const char* method;
    const char* path;
    endpoint target;
    const char* parameter;
  };
  const row table[] = {
      {"GET", "/admin/v1/tenants", endpoint::admin_tenants, ""},
      {"GET", "/admin/v1/tenants/a%20b", endpoint::admin_tenant, "a b"},
      {"PUT", "/admin/v1/tenants/acme", endpoint::put_tenant, "acme"},
      {"DELETE", "/admin/v1/tenants/acme", endpoint::delete_tenant, "acme"},
      {"GET", "/admin/v1/tenants/acme/keys", endpoint::tenant_keys, "acme"},
      {"POST", "/admin/v1/tenants/acme/keys", endpoint::create_key, "acme"},
      {"PATCH", "/admin/v1/keys/key_1", endpoint::change_key, "key_1"},
      {"POST", "/admin/v1/keys/key_1/rotate", endpoint::rotate_key, "key_1"},
      {"DELETE", "/admin/v1/keys/key_1", endpoint::delete_key, "key_1"},
      {"GET", "/admin/v1/usage", endpoint::usage, ""},
      {"GET", "/admin/v1/audit", endpoint::audit, ""},
      {"GET", "/admin/v1/state", endpoint::admin_state, ""},
      {"POST", "/admin/v1/drain", endpoint::drain, ""},
  };
  for (const auto& x : table)
    check_route(x.method, x.path, x.target, http::access::admin, x.parameter);
}

CAF_TEST(what a listener does not offer does not exist) {
  const auto status = [](const char* method, const char* path, const http::offered_access& x) {
    const auto found = http::find_route(method, path, x);
    const auto* none = std::get_if<http::no_route>(&found);
    return none ? none->why.http_status() : 200;
  };
  const http::offered_access no_admin{true, false};
  const http::offered_access only_admin{false, true};
  for (const char* method : {"GET", "POST", "OPTIONS"}) {
    CAF_CHECK_EQUAL(status(method, "/admin/v1/tenants", no_admin), 404);
    CAF_CHECK_EQUAL(status(method, "/v1/chat/completions", only_admin), 404);
  }
  CAF_CHECK_EQUAL(status("POST", "/admin/v1/tenants", only_admin), 405);
  CAF_CHECK_EQUAL(status("GET", "/health", only_admin), 200);
}

CAF_TEST(other paths and methods are refused) {
  struct row {
    const char* method;
    const char* path;
    int status;
    const char* allow;
  };
  const row table[] = {
      {"GET", "", 404, ""},
      {"GET", "*", 404, ""},
      {"GET", "/v1", 404, ""},
      {"GET", "/v1/models/", 404, ""}, // a request's path has no slash at its end
      {"GET", "/V1/models", 404, ""},
      {"GET", "/v1/modelsx", 404, ""},
      {"POST", "/v1/chat/completions/x", 404, ""},
      {"OPTIONS", "/nowhere", 404, ""},
      {"POST", "/", 405, "GET, HEAD, OPTIONS"},
      {"DELETE", "/v1/models/x", 405, "GET, HEAD, OPTIONS"},
      {"GET", "/v1/chat/completions", 405, "POST, OPTIONS"},
      {"HEAD", "/v1/chat/completions", 405, "POST, OPTIONS"},
      {"post", "/v1/chat/completions", 405, "POST, OPTIONS"},
      {"GET", "/v1/threads/", 404, ""},
      {"GET", "/v1/threadsx", 404, ""},
      {"GET", "/v1/threads/a/b", 404, ""},
      {"GET", "/v1/threads/a/b/messages", 404, ""},
      {"GET", "/v1/threads/42/messages/msg_1", 404, ""},
      {"OPTIONS", "/v1/threads/42/nothing", 404, ""},
      {"POST", "/v1/threads", 405, "GET, HEAD, OPTIONS"},
      {"POST", "/v1/threads/42", 405, "GET, HEAD, PATCH, DELETE, OPTIONS"},
      {"patch", "/v1/threads/42", 405, "GET, HEAD, PATCH, DELETE, OPTIONS"},
      {"POST", "/v1/threads/42/messages", 405, "GET, HEAD, OPTIONS"},
      {"GET", "/v1/threads/42/fork", 405, "POST, OPTIONS"},
      {"POST", "/v1/threads/42/export", 405, "GET, HEAD, OPTIONS"},
      {"PUT", "/v1/threads/import", 405, "GET, HEAD, PATCH, DELETE, POST, OPTIONS"},
  };
  for (const auto& x : table) {
    CAF_MESSAGE(x.method << " " << x.path);
    const auto found = http::find_route(x.method, x.path);
    const auto* no = std::get_if<http::no_route>(&found);
    CAF_REQUIRE(no);
    CAF_CHECK_EQUAL(no->why.http_status(), x.status);
    CAF_CHECK_EQUAL(no->allow, x.allow);
  }
}
