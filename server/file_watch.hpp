/// Tells when a file is written or replaced. Source: inotify(7).
#pragma once

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <functional>

namespace lang_agent {

/// Watches the file's directory as long as the context runs: editors and deployment tools put a new
/// file in the place of the old one, or change a link on the way. `changed` comes on the context's
/// thread when the file has been at rest for a moment; never, where the system has no watches left.
void watch_file(boost::asio::io_context& context, std::filesystem::path file,
                std::function<void()> changed);

} // namespace lang_agent
