#define CAF_SUITE scheduler
#include "tests/test.hpp"

#include "actors/asio_clock.hpp"
#include "actors/scheduler.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

using namespace std::chrono_literals;

namespace {

/// A real system on real threads: what cannot be tested with a deterministic scheduler.
struct fixture {
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;

  fixture() {
    lang_agent::use_asio_scheduler(config, 2);
    system = std::make_unique<caf::actor_system>(config);
  }
};

caf::behavior counter(caf::event_based_actor* self) {
  auto sum = std::make_shared<int>(0);
  return {
      [sum](int x) { *sum += x; },
      [sum](caf::get_atom) { return *sum; },
      [self](caf::ok_atom) { self->quit(); },
  };
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(scheduler_tests, fixture)

CAF_TEST(actors run on the threads of the context) {
  std::promise<bool> inside;
  system->spawn([&](caf::event_based_actor*) {
    auto& context = lang_agent::io_threads_of(*system).here();
    inside.set_value(context.get_executor().running_in_this_thread());
  });
  auto result = inside.get_future();
  CAF_REQUIRE(result.wait_for(10s) == std::future_status::ready);
  CAF_CHECK(result.get());
}

CAF_TEST(no message is lost or doubled under load from many threads) {
  const auto aut = system->spawn(counter);
  std::vector<std::thread> senders;
  for (int i = 0; i < 4; ++i)
    senders.emplace_back([&] {
      for (int n = 0; n < 20'000; ++n)
        caf::anon_send(aut, 1);
    });
  for (auto& sender : senders)
    sender.join();
  caf::scoped_actor self{*system};
  self->request(aut, 10s, caf::get_atom_v)
      .receive([](int sum) { CAF_CHECK_EQUAL(sum, 80'000); },
               [](const caf::error&) { CAF_FAIL("no answer"); });
  caf::anon_send(aut, caf::ok_atom_v);
}

CAF_TEST(an actor with a backlog does not hold the others up) {
  // One actor keeps both threads busy with its own messages; another one answers all the same.
  const auto stop = std::make_shared<std::atomic<bool>>(false); // outlives this scope
  const auto busy = system->spawn([stop](caf::event_based_actor* self) -> caf::behavior {
    return {[self, stop](int x) {
      if (!*stop)
        self->send(self, x);
      else
        self->quit();
    }};
  });
  for (int i = 0; i < 100; ++i)
    caf::anon_send(busy, i);
  const auto aut = system->spawn(counter);
  caf::scoped_actor self{*system};
  self->request(aut, 10s, caf::get_atom_v)
      .receive([](int) {}, [](const caf::error&) { CAF_FAIL("no answer"); });
  *stop = true;
  caf::anon_send(aut, caf::ok_atom_v);
}

CAF_TEST(delayed messages come in the order of their time) {
  caf::scoped_actor self{*system};
  self->delayed_send(self, 60ms, 3);
  self->delayed_send(self, 20ms, 1);
  self->delayed_send(self, 40ms, 2);
  const auto begin = std::chrono::steady_clock::now();
  for (int expected = 1; expected <= 3; ++expected)
    self->receive([&](int x) { CAF_CHECK_EQUAL(x, expected); });
  CAF_CHECK(std::chrono::steady_clock::now() - begin >= 60ms);
}

CAF_TEST(a request that nobody answers times out) {
  const auto silent = system->spawn([](caf::event_based_actor* self) -> caf::behavior {
    return {[self](int) -> caf::result<int> { return self->make_response_promise<int>(); },
            [self](caf::ok_atom) { self->quit(); }};
  });
  caf::scoped_actor self{*system};
  self->request(silent, 30ms, 1)
      .receive([](int) { CAF_FAIL("an answer out of nothing"); },
               [](const caf::error& e) { CAF_CHECK(e == caf::sec::request_timeout); });
  caf::anon_send(silent, caf::ok_atom_v);
}

CAF_TEST(a system ends while messages and timers are pending) {
  system->await_actors_before_shutdown(false);
  for (int i = 0; i < 100; ++i) {
    const auto aut = system->spawn([](caf::event_based_actor* self) -> caf::behavior {
      self->delayed_send(self, 1h, 1);
      return {[self](int x) { self->send(self, x); }};
    });
    caf::anon_send(aut, i);
  }
  system.reset();
}

CAF_TEST(what is scheduled after the clock stopped keeps no actor alive) {
  dynamic_cast<lang_agent::asio_clock&>(system->clock()).stop();
  auto witness = std::make_shared<int>();
  const std::weak_ptr<int> alive = witness;
  std::promise<void> scheduled;
  auto aut = system->spawn(
      [&, held = std::move(witness)](caf::event_based_actor* self) mutable -> caf::behavior {
        self->delayed_send(self, 1h, 1);
        scheduled.set_value();
        return {[held = std::move(held)](int) {}};
      });
  CAF_REQUIRE(scheduled.get_future().wait_for(10s) == std::future_status::ready);
  aut = nullptr;
  for (int i = 0; i < 1000 && !alive.expired(); ++i)
    std::this_thread::sleep_for(10ms);
  CAF_CHECK(alive.expired());
}

CAF_TEST(a clock drops what is pending and what comes later) {
  boost::asio::io_context context;
  lang_agent::asio_clock clock{context};
  auto witness = std::make_shared<int>();
  const std::weak_ptr<int> alive = witness;
  const auto message = [&] {
    return caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, 1);
  };
  auto aut = caf::actor_cast<caf::strong_actor_ptr>(
      system->spawn([held = std::move(witness)](caf::event_based_actor*) mutable -> caf::behavior {
        return {[held = std::move(held)](int) {}};
      }));
  clock.schedule_message(clock.now() + 1h, aut, message());
  clock.stop();
  clock.schedule_message(clock.now() + 1h, aut, message());
  clock.schedule_message(clock.now(), aut, message());
  clock.stop(); // once more does no harm
  aut.reset();
  for (int i = 0; i < 1000 && !alive.expired(); ++i)
    std::this_thread::sleep_for(10ms);
  CAF_CHECK(alive.expired());
  context.poll(); // what was cancelled does nothing
}

CAF_TEST_FIXTURE_SCOPE_END()
