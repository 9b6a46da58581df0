#define CAF_SUITE routes
#include "tests/test.hpp"

#include "http/routes.hpp"

using namespace lang_agent;
using http::endpoint;

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
  };
  for (const auto& x : table) {
    CAF_MESSAGE(x.method << " " << x.path);
    const auto found = http::find_route(x.method, x.path);
    const auto* to = std::get_if<http::route>(&found);
    CAF_REQUIRE(to);
    CAF_CHECK(to->target == x.target);
    CAF_CHECK_EQUAL(to->open, x.open);
    CAF_CHECK_EQUAL(to->parameter, x.parameter);
  }
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
