/// What an upstream's TLS trusts and shows. Private to the upstream side.
#pragma once

#include "http/upstream.hpp"

#include <boost/asio/ssl/context.hpp>

namespace lang_agent::http {

/// Throws std::runtime_error that names the upstream and the file when one of its files is of no
/// use.
boost::asio::ssl::context make_tls_context(const upstream_options& options);

} // namespace lang_agent::http
