#include "http/link_pool.hpp"

#include "http/proxy_tunnel.hpp"
#include "http/tls_context.hpp"

#include <algorithm>

namespace lang_agent::http {

namespace asio = boost::asio;

namespace {

/// Idle links above this number are closed instead of kept.
constexpr std::size_t max_idle_links = 256;
/// Shorter values are no secrets but words that answers are made of.
constexpr std::size_t shortest_secret = 6;

/// What clients must not see.
redaction secrets_of(const upstream_options& x) {
  auto out = x.api_keys;
  out.insert(out.end(), {x.url.authority, x.url.host});
  const auto add = [&](std::string secret) {
    if (secret.size() >= shortest_secret)
      out.push_back(std::move(secret));
  };
  for (const auto& [name, value] : x.headers) {
    add(value);
    add(value.substr(value.rfind(' ') + 1)); // without its scheme, e.g. Bearer
  }
  if (x.proxy) {
    const auto& credentials = x.proxy->credentials;
    out.push_back(x.proxy->host);
    add(credentials);
    add(credentials.substr(credentials.find(':') + 1));
    if (!credentials.empty())
      out.push_back(basic_authorization(credentials).substr(6));
  }
  return redaction{std::move(out)};
}

} // namespace

link_pool::link_pool(asio::io_context& io, upstream_options o)
    : options(std::move(o)),
      context(io),
      tls(make_tls_context(options)),
      links(io),
      secrets(secrets_of(options)) {}

std::shared_ptr<upstream_link> link_pool::reuse() {
  while (true) {
    std::shared_ptr<upstream_link> link;
    {
      const std::lock_guard lock{mutex_};
      if (idle_.empty())
        return nullptr;
      link = std::move(idle_.back());
      idle_.pop_back();
    }
    if (link->age() < options.max_connection_age && link->is_fresh())
      return link;
  }
}

std::shared_ptr<upstream_link> link_pool::make(upstream_link::strand executor) {
  return std::make_shared<upstream_link>(shared_from_this(), std::move(executor));
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
