/// From the config's upstreams to running ones.
#pragma once

#include "actors/upstream_target.hpp"
#include "config/settings.hpp"

#include <boost/asio/io_context.hpp>

#include <string>
#include <vector>

namespace lang_agent {

/// `context` must outlive them. Throws `std::exception` when a certificate cannot be used.
upstream_list make_upstreams(boost::asio::io_context& context,
                             const std::vector<upstream_settings>& all);

/// For the log, e.g. "main(builtin),spare".
std::string names_of(const std::vector<upstream_settings>& all);

} // namespace lang_agent
