#define CAF_SUITE units
#include "tests/test.hpp"

#include "config/units.hpp"

using namespace lang_agent;

namespace {

/// A quantity as text, so that both sides of a check can be read.
template <class T>
std::string shown(const std::optional<T>& x) {
  if (!x)
    return "none";
  if constexpr (std::is_same_v<T, std::chrono::milliseconds>)
    return std::to_string(x->count());
  else
    return std::to_string(*x);
}

using table = std::initializer_list<std::pair<const char*, const char*>>;

} // namespace

CAF_TEST(durations have a number and a unit) {
  for (const auto& [text, ms] : table{{"250ms", "250"},
                                      {"5s", "5000"},
                                      {"10m", "600000"},
                                      {"1h", "3600000"},
                                      {"30d", "2592000000"},
                                      {"41666d", "3599942400000"},
                                      {"41667d", "none"},
                                      {"0", "0"},
                                      {"0ms", "0"},
                                      {"007s", "7000"},
                                      {"1000000h", "3600000000000"},
                                      {"1000001h", "none"},
                                      {"1000000000000h", "none"},
                                      {"99999999999999999999s", "none"},
                                      {"", "none"},
                                      {"5", "none"},
                                      {"s", "none"},
                                      {"-5s", "none"},
                                      {"+5s", "none"},
                                      {"1.5s", "none"},
                                      {"5 s", "none"},
                                      {" 5s", "none"},
                                      {"5s ", "none"},
                                      {"5S", "none"},
                                      {"5D", "none"},
                                      {"1w", "none"},
                                      {"1.5d", "none"},
                                      {"1h30m", "none"}})
    CAF_CHECK_EQUAL(std::string{text} + " " + shown(parse_duration(text)),
                    std::string{text} + " " + ms);
}

CAF_TEST(any duration can be added to a clock) {
  const auto longest = *parse_duration("1000000h");
  CAF_CHECK(std::chrono::steady_clock::now() + longest > std::chrono::steady_clock::now());
}

CAF_TEST(sizes have a number and a unit) {
  for (const auto& [text, bytes] : table{{"0B", "0"},
                                         {"512B", "512"},
                                         {"64KiB", "65536"},
                                         {"32MiB", "33554432"},
                                         {"1GiB", "1073741824"},
                                         {"1000000GiB", "none"},
                                         {"9999999999999999MiB", "none"},
                                         {"", "none"},
                                         {"0", "none"},
                                         {"64", "none"},
                                         {"64KB", "none"},
                                         {"64kib", "none"},
                                         {"64 KiB", "none"},
                                         {"-1B", "none"},
                                         {"1.5MiB", "none"}})
    CAF_CHECK_EQUAL(std::string{text} + " " + shown(parse_size(text)),
                    std::string{text} + " " + bytes);
}

CAF_TEST(listen addresses have a host and a port) {
  for (const auto& [text, expected] : table{{"127.0.0.1:8488", "127.0.0.1 8488"},
                                            {"localhost:0", "localhost 0"},
                                            {"[::1]:65535", "::1 65535"},
                                            {"0.0.0.0:80", "0.0.0.0 80"},
                                            {"", "none"},
                                            {"8488", "none"},
                                            {":8488", "none"},
                                            {"localhost", "none"},
                                            {"localhost:", "none"},
                                            {"localhost:65536", "none"},
                                            {"localhost:-1", "none"},
                                            {"localhost:80a", "none"},
                                            {"::1:8488", "none"},
                                            {"[]:8488", "none"},
                                            {"[::1:8488", "none"},
                                            {"[::1]", "none"}}) {
    const auto x = parse_listen(text);
    CAF_CHECK_EQUAL(std::string{text} + " "
                        + (x ? x->host + " " + std::to_string(x->port) : "none"),
                    std::string{text} + " " + expected);
  }
}

CAF_TEST(base URLs are taken apart) {
  for (const auto& [text, expected] :
       table{{"http://host", "plain host 80 host []"},
             {"https://host", "tls host 443 host []"},
             {"https://api.openai.com/v1", "tls api.openai.com 443 api.openai.com [/v1]"},
             {"http://127.0.0.1:8080/a/b//", "plain 127.0.0.1 8080 127.0.0.1:8080 [/a/b]"},
             {"http://[::1]:9/v1/", "plain ::1 9 [::1]:9 [/v1]"},
             {"http://[::1]/", "plain ::1 80 [::1] []"},
             {"", "none"},
             {"host", "none"},
             {"ftp://host", "none"},
             {"HTTP://host", "none"},
             {"http://", "none"},
             {"http:///v1", "none"},
             {"http://:80", "none"},
             {"http://host:", "none"},
             {"http://host:0", "none"},
             {"http://host:65536", "none"},
             {"http://host:x", "none"},
             {"http://::1/v1", "none"},
             {"http://user:secret@host/v1", "none"},
             {"http://host/v1?x=1", "none"},
             {"http://host/v1#x", "none"},
             {"http://host/a b", "none"},
             {"http://host/a\r\nb", "none"}}) {
    const auto x = parse_base_url(text);
    CAF_CHECK_EQUAL(std::string{text} + " -> "
                        + (x ? std::string{x->tls ? "tls " : "plain "} + x->host + " "
                                   + std::to_string(x->port) + " " + x->authority + " [" + x->path
                                   + "]"
                             : "none"),
                    std::string{text} + " -> " + expected);
  }
}

CAF_TEST(loopback is what no other machine can reach) {
  for (const auto* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"})
    CAF_CHECK(is_loopback(host));
  for (const auto* host : {"0.0.0.0", "::", "10.0.0.1", "1127.0.0.1", "127.example.com",
                           "localhost.example.com", "", "example.com"})
    CAF_CHECK(!is_loopback(host));
}
