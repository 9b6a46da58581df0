#define CAF_SUITE proxy
#include "tests/test.hpp"

#include "config/loader.hpp"
#include "config/proxy.hpp"
#include "config/units.hpp"

#include <cstdlib>

using namespace lang_agent;

namespace {

/// Variables that are set as long as this lives; none of the others about proxies are.
struct environment {
  explicit environment(const std::map<std::string, std::string>& variables) {
    clear();
    for (const auto& [name, value] : variables)
      ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~environment() {
    clear();
  }
  static void clear() {
    for (const auto* name :
         {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"})
      ::unsetenv(name);
  }
};

/// "credentials host port"; "none" if there is no proxy.
std::string show(const std::optional<proxy_address>& x) {
  return x ? x->credentials + " " + x->host + " " + std::to_string(x->port) : "none";
}

std::string chosen(const std::string& url) {
  return show(environment_proxy(*parse_base_url(url), "u"));
}

settings read(const std::string& keys, const config_overrides& overrides = {}) {
  return parse_settings("[[tenants]]\nname = \"t\"\nkeys = [\"k\"]\n[[upstreams]]\nname = \"u\"\n"
                        "kind = \"openai\"\nbase_url = \"https://api.example/v1\"\n"
                            + keys,
                        "my.toml", overrides);
}

std::string problem(const std::string& keys) {
  try {
    read(keys);
    return "nothing";
  } catch (const config_error& e) {
    return e.what();
  }
}

} // namespace

CAF_TEST(a proxy has a host and may have more) {
  const std::pair<const char*, const char*> table[] = {
      {"http://proxy:3128", " proxy 3128"},
      {"http://proxy:3128/", " proxy 3128"},
      {"HTTP://proxy", " proxy 80"},
      {"proxy:3128", " proxy 3128"},
      {"http://me:secret@proxy:1", "me:secret proxy 1"},
      {"http://me:a%40b%3a@proxy:1", "me:a@b: proxy 1"},
      {"http://me:a@b@proxy:1", "me:a@b proxy 1"},
      {"http://[::1]:3128", " ::1 3128"},
      {"http://[::1]", " ::1 80"},
      {"http://10.0.0.1:3128", " 10.0.0.1 3128"},
  };
  for (const auto& [text, expected] : table)
    CAF_CHECK_EQUAL(show(parse_proxy(text)), expected);
}

CAF_TEST(what is no address of a proxy is refused) {
  for (const auto* text :
       {"", "http://", "https://proxy:1", "socks5://proxy:1", "http://proxy:0", "http://proxy:x",
        "http://proxy:65536", "http://:1", "http://proxy:1/path", "http://proxy:1?q", "http://a b",
        "http://::1:80", "http://me:%4@proxy:1", "http://me:%zz@proxy:1"})
    CAF_CHECK_EQUAL(show(parse_proxy(text)), "none");
}

CAF_TEST(hosts are exempt by name and domain and address and network) {
  struct row {
    const char* list;
    const char* url;
    bool exempt;
  };
  const row table[] = {
      {"", "http://a.example", false},
      {" , ,", "http://a.example", false},
      {"*", "http://a.example", true},
      {"a.example", "http://a.example", true},
      {"A.Example", "http://a.exAMPLE", true},
      {"b.example, a.example", "http://a.example", true},
      {"b.example a.example", "http://a.example", true},
      {"example", "http://a.example", true},
      {".example", "http://a.example", true},
      {"*.example", "http://a.example", true},
      {".a.example", "http://a.example", true},
      {"ample", "http://a.example", false},
      {"b.a.example", "http://a.example", false},
      {".", "http://a.example", false},
      {"a.example:80", "http://a.example", true},
      {"a.example:443", "http://a.example", false},
      {"a.example:443", "https://a.example/v1", true},
      {".example:8080", "http://a.example:8080", true},
      {"a.example", "http://a.example.", true},
      {".example", "http://a.example.:80", true},
      {"10.0.0.1", "http://10.0.0.1:5", true},
      {"10.0.0.1:5", "http://10.0.0.1:5", true},
      {"10.0.0.1:6", "http://10.0.0.1:5", false},
      {"0.0.1", "http://10.0.0.1", false},
      {"10.0.0.0/8", "http://10.1.2.3", true},
      {"10.0.0.0/8", "http://11.1.2.3", false},
      {"10.0.0.0/0", "http://11.1.2.3", true},
      {"10.1.2.2/31", "http://10.1.2.3", true},
      {"10.0.0.0/33", "http://10.0.0.0", false},
      {"10.0.0.0/x", "http://10.0.0.0", false},
      {"10.0.0.0/8", "http://ten.example", false},
      {"::1", "http://[::1]:80", true},
      {"[::1]", "http://[::1]:80", true},
      {"[::1]:80", "http://[::1]:80", true},
      {"[::1]:81", "http://[::1]:80", false},
      {"0:0::1", "http://[::1]:80", true},
      {"fd00::/8", "http://[fd12::1]", true},
      {"fd00::/8", "http://[fe80::1]", false},
      {"fd00::/8", "http://10.0.0.1", false},
  };
  for (const auto& x : table) {
    CAF_MESSAGE(x.list << " and " << x.url);
    CAF_CHECK_EQUAL(is_exempt(x.list, *parse_base_url(x.url)), x.exempt);
  }
}

CAF_TEST(the environment names a proxy for each scheme) {
  const environment set{{{"HTTPS_PROXY", "http://s:1"}, {"HTTP_PROXY", "http://p:2"}}};
  CAF_CHECK_EQUAL(chosen("https://a.example"), " s 1");
  CAF_CHECK_EQUAL(chosen("http://a.example"), " p 2");
}

CAF_TEST(small letters come before capitals and nothing is no proxy) {
  const environment set{{{"HTTPS_PROXY", "http://capital:1"},
                         {"https_proxy", "http://small:1"},
                         {"http_proxy", ""},
                         {"HTTP_PROXY", "http://capital:1"}}};
  CAF_CHECK_EQUAL(chosen("https://a.example"), " small 1");
  CAF_CHECK_EQUAL(chosen("http://a.example"), " capital 1");
  environment::clear();
  CAF_CHECK_EQUAL(chosen("https://a.example"), "none");
}

CAF_TEST(this machine is never behind a proxy of the environment) {
  const environment set{{{"HTTPS_PROXY", "http://s:1"}, {"HTTP_PROXY", "http://p:2"}}};
  for (const auto* url :
       {"http://localhost:1", "http://127.0.0.1", "https://127.1.2.3", "http://[::1]:8080/v1"})
    CAF_CHECK_EQUAL(chosen(url), "none");
}

CAF_TEST(a variable of no use is told when it would be used) {
  const environment set{{{"HTTPS_PROXY", "socks5://me:secret@proxy:1"}, {"NO_PROXY", "b.example"}}};
  try {
    chosen("https://a.example");
    CAF_FAIL("accepted");
  } catch (const config_error& e) {
    const std::string why = e.what();
    CAF_CHECK(why.find("HTTPS_PROXY") != std::string::npos);
    CAF_CHECK(why.find("upstream \"u\"") != std::string::npos);
    CAF_CHECK(why.find("secret") == std::string::npos);
  }
  CAF_CHECK_EQUAL(chosen("https://b.example"), "none");
  CAF_CHECK_EQUAL(chosen("http://a.example"), "none");
  CAF_CHECK_EQUAL(chosen("https://localhost"), "none");
}

CAF_TEST(the config comes before the environment) {
  const environment set{{{"HTTPS_PROXY", "http://theirs:1"}}};
  CAF_CHECK_EQUAL(show(read("").upstreams[0].proxy), " theirs 1");
  CAF_CHECK_EQUAL(show(read("proxy = \"http://x:y@ours:2\"").upstreams[0].proxy), "x:y ours 2");
  CAF_CHECK_EQUAL(show(read("proxy = \"none\"").upstreams[0].proxy), "none");
  CAF_CHECK_EQUAL(show(parse_settings("[[tenants]]\nname = \"t\"\nkeys = [\"k\"]\n", "x", {})
                           .upstreams[0]
                           .proxy),
                  "none");
}

CAF_TEST(a key of no use is told without its secrets) {
  const auto why = problem("proxy = \"socks5://me:secret@proxy:1\"");
  CAF_CHECK(why.find("my.toml") != std::string::npos);
  CAF_CHECK(why.find("proxy") != std::string::npos);
  CAF_CHECK(why.find("secret") == std::string::npos);
}

CAF_TEST(another upstream of the command line is reached the same way) {
  const environment set{{{"HTTP_PROXY", "http://theirs:1"}}};
  config_overrides overrides;
  overrides.upstream_url = "http://other.example";
  CAF_CHECK_EQUAL(show(read("", overrides).upstreams[0].proxy), " theirs 1");
  CAF_CHECK_EQUAL(show(read("proxy = \"http://ours:2\"", overrides).upstreams[0].proxy), " ours 2");
  CAF_CHECK_EQUAL(show(read("proxy = \"none\"", overrides).upstreams[0].proxy), "none");
}

CAF_TEST(a server that is not started needs no proxy) {
  const environment set{{{"HTTPS_PROXY", "socks5://proxy:1"}}};
  CAF_CHECK(problem("").find("HTTPS_PROXY") != std::string::npos);
  config_overrides overrides;
  overrides.without_secrets = true;
  CAF_CHECK_EQUAL(show(read("", overrides).upstreams[0].proxy), "none");
}

CAF_TEST(files of an upstream must be there) {
  const auto why = problem("ca_file = \"/no/such/file\"");
  CAF_CHECK(why.find("ca_file /no/such/file cannot be read") != std::string::npos);
  CAF_CHECK(problem("client_certificate = \"/tmp\"\nclient_key = \"/tmp\"")
                .find("client_certificate /tmp cannot be read")
            != std::string::npos);
}
