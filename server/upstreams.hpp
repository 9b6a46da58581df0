/// From the config's upstreams to running ones.
#pragma once

#include "actors/upstream_target.hpp"
#include "config/settings.hpp"
#include "http/io_threads.hpp"

#include <string>
#include <vector>

namespace lang_agent {

/// The contexts of `threads` must outlive them. Throws `std::exception` when a certificate cannot
/// be used.
upstream_list make_upstreams(const http::io_threads& threads,
                             const std::vector<upstream_settings>& all);

/// For the log, e.g. "main(builtin),spare".
std::string names_of(const std::vector<upstream_settings>& all);

} // namespace lang_agent
