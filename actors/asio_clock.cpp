#include "actors/asio_clock.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/group.hpp>

namespace lang_agent {

asio_clock::asio_clock(boost::asio::io_context& context) {
  timer_.emplace(context);
}

void asio_clock::stop() {
  schedule_map dropped; // ends without the lock
  const std::lock_guard lock{mutex_};
  timer_.reset();
  actor_lookup_.clear();
  dropped.swap(schedule_);
}

void asio_clock::set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                      uint64_t id) {
  const std::lock_guard lock{mutex_};
  super::set_ordinary_timeout(t, self, type, id);
  arm();
}

void asio_clock::set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                   uint64_t id) {
  const std::lock_guard lock{mutex_};
  super::set_multi_timeout(t, self, type, id);
  arm();
}

void asio_clock::set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) {
  const std::lock_guard lock{mutex_};
  super::set_request_timeout(t, self, id);
  arm();
}

void asio_clock::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  const std::lock_guard lock{mutex_};
  super::cancel_ordinary_timeout(self, type);
}

void asio_clock::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  const std::lock_guard lock{mutex_};
  super::cancel_request_timeout(self, id);
}

void asio_clock::cancel_timeouts(caf::abstract_actor* self) {
  const std::lock_guard lock{mutex_};
  super::cancel_timeouts(self);
}

void asio_clock::schedule_message(time_point t, caf::strong_actor_ptr receiver,
                                  caf::mailbox_element_ptr content) {
  const std::lock_guard lock{mutex_};
  if (!timer_)
    return; // stopped: nobody would ever let go of the receiver
  super::schedule_message(t, std::move(receiver), std::move(content));
  arm();
}

void asio_clock::schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                                  caf::message content) {
  const std::lock_guard lock{mutex_};
  if (!timer_)
    return;
  super::schedule_message(t, std::move(target), std::move(sender), std::move(content));
  arm();
}

void asio_clock::cancel_all() {
  schedule_map dropped; // ends without the lock
  const std::lock_guard lock{mutex_};
  actor_lookup_.clear();
  dropped.swap(schedule_);
}

/// Sets the timer to the earliest entry. Setting it anew cancels the former wait.
void asio_clock::arm() {
  if (!timer_ || schedule_.empty() || schedule_.begin()->first >= armed_for_)
    return;
  armed_for_ = schedule_.begin()->first;
  timer_->expires_at(armed_for_);
  timer_->async_wait([this](const boost::system::error_code& ec) {
    if (!ec)
      on_timer();
  });
}

void asio_clock::on_timer() {
  std::vector<unique_delayed_event_ptr> due;
  {
    const std::lock_guard lock{mutex_};
    if (!timer_)
      return;
    const auto t = now();
    for (auto i = schedule_.begin(); i != schedule_.end() && i->first <= t;) {
      if (i->second->backlink != actor_lookup_.end())
        actor_lookup_.erase(i->second->backlink);
      due.push_back(std::move(i->second));
      i = schedule_.erase(i);
    }
    armed_for_ = time_point::max();
    arm();
  }
  for (auto& x : due)
    ship(*x);
}

} // namespace lang_agent
