#include "http/proxy_tunnel.hpp"

#include <boost/beast/http/error.hpp>

#include <openssl/evp.h>

namespace lang_agent::http {

namespace beast = boost::beast;

namespace {

/// A proxy has little to say; what has more is none.
constexpr std::uint32_t max_head_bytes = 16 * 1024;

std::string base64(const std::string& text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0'); // and a zero
  const auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

} // namespace

std::string basic_authorization(const std::string& credentials) {
  return "Basic " + base64(credentials);
}

std::string connect_request(const base_url& target, const proxy_address& proxy) {
  const bool is_ipv6 = target.host.find(':') != std::string::npos;
  const auto place =
      (is_ipv6 ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
  auto out = "CONNECT " + place + " HTTP/1.1\r\nhost: " + place + "\r\n";
  if (!proxy.credentials.empty())
    out += "proxy-authorization: " + basic_authorization(proxy.credentials) + "\r\n";
  return out + "\r\n";
}

connect_answer::connect_answer() {
  start_parser();
}

void connect_answer::start_parser() {
  parser_.emplace([](std::string_view) {});
  parser_->eager(false);
  parser_->skip(true); // what follows the head of a success belongs to the upstream
  parser_->header_limit(max_head_bytes);
}

std::optional<std::string> connect_answer::feed(beast::flat_buffer& input) {
  while (input.size() > 0) {
    beast::error_code ec;
    input.consume(parser_->put(input.data(), ec));
    if (ec == beast::http::error::need_more)
      return std::nullopt;
    if (ec)
      return "the proxy's answer is no HTTP: " + ec.message();
    if (!parser_->is_header_done())
      continue;
    if (!parser_->is_interim())
      return verdict(input);
    start_parser();
  }
  return std::nullopt;
}

std::string connect_answer::verdict(const beast::flat_buffer& rest) const {
  const auto status = parser_->status();
  if (status == 407)
    return "the proxy wants other credentials (HTTP 407): check the upstream's proxy key, or "
           "HTTPS_PROXY";
  if (status < 200 || status > 299)
    return "the proxy refuses the connection: HTTP " + std::to_string(status);
  // In front of TLS nobody may put in a word.
  return rest.size() == 0 ? "" : "the proxy sent bytes of its own before TLS";
}

} // namespace lang_agent::http
