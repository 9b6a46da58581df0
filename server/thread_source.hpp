/// Where `lang-agent threads` finds threads: in the database file, or behind the API of a server.
#pragma once

#include "messages/base_url.hpp"
#include "messages/threads.hpp"
#include "store/thread_store.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lang_agent {

/// Something could not be done; the message tells a person what.
class threads_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// All calls throw `threads_error`, or whatever the store or the network throws.
class thread_source {
public:
  virtual ~thread_source() = default;

  /// The next threads after `after` (empty: the first ones), oldest first.
  virtual page<thread_info> list(const std::string& after) = 0;

  /// The lines of an export, in pieces of any size.
  virtual void export_thread(const std::string& id,
                             const std::function<void(std::string_view)>& sink) = 0;

  /// All threads of a file; `next` gives it in pieces, an empty one at its end. Returns the
  /// threads.
  virtual std::vector<thread_info> import(const std::function<std::string()>& next) = 0;

  virtual void remove(const std::string& id) = 0;
};

std::unique_ptr<thread_source> offline_threads(std::unique_ptr<store::thread_store> store,
                                               std::string tenant);

std::unique_ptr<thread_source> online_threads(base_url url, std::string key);

} // namespace lang_agent
