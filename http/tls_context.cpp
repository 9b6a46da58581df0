#include "http/tls_context.hpp"

#include <stdexcept>

namespace lang_agent::http {

namespace ssl = boost::asio::ssl;

namespace {

/// Runs one step of the setup; says whose it was when it fails.
template <class Step>
void load(const upstream_options& options, const char* key, const std::string& file, Step step) {
  boost::system::error_code ec;
  step(ec);
  if (ec)
    throw std::runtime_error{"upstream \"" + options.name + "\": " + key + " " + file
                             + " cannot be used: " + ec.message()};
}

void show_certificate(ssl::context& out, const upstream_options& x) {
  // Without this OpenSSL asks the terminal for the password of an encrypted key.
  out.set_password_callback([](std::size_t, ssl::context::password_purpose) { return ""; });
  load(x, "client_certificate", x.client_certificate,
       [&](auto& ec) { out.use_certificate_chain_file(x.client_certificate, ec); });
  load(x, "client_key", x.client_key,
       [&](auto& ec) { out.use_private_key_file(x.client_key, ssl::context::pem, ec); });
}

} // namespace

ssl::context make_tls_context(const upstream_options& options) {
  ssl::context out{ssl::context::tls_client};
  if (!options.url.tls)
    return out;
  out.set_verify_mode(ssl::verify_peer);
  if (options.ca_file.empty())
    out.set_default_verify_paths();
  else
    load(options, "ca_file", options.ca_file,
         [&](auto& ec) { out.load_verify_file(options.ca_file, ec); });
  if (!options.client_certificate.empty())
    show_certificate(out, options);
  return out;
}

} // namespace lang_agent::http
