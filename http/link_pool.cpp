#include "http/link_pool.hpp"

#include "http/proxy_tunnel.hpp"
#include "http/tls_context.hpp"

#include <boost/beast/core/string.hpp>

#include <algorithm>

namespace lang_agent::http {

namespace asio = boost::asio;

namespace {

/// Idle links above this number are closed instead of kept.
constexpr std::size_t max_idle_links = 256;
/// Shorter values are no secrets but words that answers are made of.
constexpr std::size_t shortest_secret = 6;

/// What clients must not see of a header: its value and, behind a scheme, the credentials alone.
std::vector<std::string> secrets_of_header(const std::string& value) {
  std::vector<std::string> out{value};
  const auto blank = value.find(' ');
  if (blank == std::string::npos || blank != value.rfind(' '))
    return out;
  for (const char* scheme : {"bearer", "basic", "token", "apikey", "api-key"})
    if (boost::beast::iequals({value.data(), blank}, scheme))
      out.push_back(value.substr(blank + 1));
  return out;
}

/// A host of one plain word, as in a network of containers, is no secret: texts are full of it.
bool is_telling(const std::string& host) {
  return host.find_first_of(".:-0123456789") != std::string::npos;
}

/// What clients must not see.
redaction secrets_of(const upstream_options& x) {
  auto secrets = x.api_keys;
  std::vector<std::string> places;
  const auto add_secret = [&](std::string secret) {
    if (secret.size() >= shortest_secret)
      secrets.push_back(std::move(secret));
  };
  const auto add_place = [&](const std::string& host) {
    if (is_telling(host))
      places.push_back(host);
  };
  add_place(x.url.authority);
  add_place(x.url.host);
  for (const auto& [name, value] : x.headers)
    for (auto& secret : secrets_of_header(value))
      add_secret(std::move(secret));
  if (x.proxy) {
    const auto& credentials = x.proxy->credentials;
    add_place(x.proxy->host);
    add_secret(credentials);
    add_secret(credentials.substr(credentials.find(':') + 1));
    if (!credentials.empty())
      secrets.push_back(basic_authorization(credentials).substr(6));
  }
  return redaction{std::move(secrets), std::move(places)};
}

} // namespace

link_pool::link_pool(io_threads on, upstream_options o)
    : options(std::move(o)),
      threads(std::move(on)),
      tls(make_tls_context(options)),
      links(threads.first()),
      secrets(secrets_of(options)) {}

std::shared_ptr<upstream_link> link_pool::reuse() {
  while (auto link = take_idle())
    if (link->age() < options.max_connection_age && link->is_fresh())
      return link;
  return nullptr;
}

/// The last used one, as it is the freshest; of another thread where this one has none.
std::shared_ptr<upstream_link> link_pool::take_idle() {
  const auto here = threads.here().get_executor();
  const std::lock_guard lock{mutex_};
  if (idle_.empty())
    return nullptr;
  auto found = std::find_if(idle_.rbegin(), idle_.rend(),
                            [&](const auto& x) { return x->executor() == here; });
  if (found == idle_.rend())
    found = idle_.rbegin();
  auto link = std::move(*found);
  idle_.erase(std::next(found).base());
  return link;
}

std::shared_ptr<upstream_link> link_pool::make(http::executor home) {
  return std::make_shared<upstream_link>(shared_from_this(), std::move(home));
}

void link_pool::keep(std::shared_ptr<upstream_link> link) {
  const auto left = options.max_connection_age - link->age();
  if (left <= clock::duration::zero())
    return;
  link->on_deadline = nullptr;
  link->expire_after(std::min<clock::duration>(options.idle_connection_timeout, left));
  const std::lock_guard lock{mutex_};
  if (!closed_ && idle_.size() < max_idle_links)
    idle_.push_back(std::move(link));
}

void link_pool::close() {
  std::vector<std::shared_ptr<upstream_link>> dropped; // ends without the lock
  const std::lock_guard lock{mutex_};
  closed_ = true;
  dropped.swap(idle_);
}

void link_pool::drop(const upstream_link* link) {
  const std::lock_guard lock{mutex_};
  const auto found =
      std::find_if(idle_.begin(), idle_.end(), [&](const auto& x) { return x.get() == link; });
  if (found != idle_.end())
    idle_.erase(found);
}

} // namespace lang_agent::http
