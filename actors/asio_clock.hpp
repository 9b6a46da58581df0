/// CAF's clock on an Asio timer, in place of a thread of its own with a bounded queue.
#pragma once

#include <caf/detail/simple_actor_clock.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <mutex>
#include <optional>
#include <vector>

namespace lang_agent {

/// Thread-safe. What is due is sent without the lock held: sending may end actors, and their end
/// comes back here to cancel timeouts.
class asio_clock final : public caf::detail::simple_actor_clock {
public:
  explicit asio_clock(boost::asio::io_context& context);

  /// Drops all that is pending, and all that comes later, and lets go of the context.
  void stop();

  void set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                            uint64_t id) override;
  void set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                         uint64_t id) override;
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point t, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

private:
  using super = caf::detail::simple_actor_clock;

  void arm();
  void on_timer();

  std::mutex mutex_;
  std::optional<boost::asio::steady_timer> timer_; ///< none once stopped
  time_point armed_for_ = time_point::max();
};

} // namespace lang_agent
