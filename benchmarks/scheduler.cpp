/// What a message between two actors costs on our scheduler: when both run on the pool, and when
/// one has a thread of its own, as the journal has.
#include "actors/scheduler.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>

using namespace lang_agent;

namespace {

struct pool {
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;

  explicit pool(std::size_t threads) {
    use_asio_scheduler(config, threads);
    system = std::make_unique<caf::actor_system>(config);
  }
};

caf::behavior echo(caf::event_based_actor* self) {
  return {
      [self](std::int64_t left, const caf::actor& from) { caf::anon_send(from, left); },
      [self](caf::ok_atom) { self->quit(); },
  };
}

/// Sends a number to and fro until it is 0, then tells who wanted it.
caf::behavior player(caf::event_based_actor* self, const caf::actor& other) {
  auto umpire = std::make_shared<caf::actor>();
  return {
      [=](std::int64_t hops, const caf::actor& from) {
        *umpire = from;
        caf::anon_send(other, hops, caf::actor{self});
      },
      [=](std::int64_t left) {
        if (left > 0)
          caf::anon_send(other, left - 1, caf::actor{self});
        else
          caf::anon_send(*umpire, std::int64_t{0});
      },
      [=](caf::ok_atom) {
        caf::anon_send(other, caf::ok_atom::value);
        self->quit();
      },
  };
}

/// One round trip is two messages.
void play(benchmark::State& state, caf::actor_system& system, const caf::actor& other) {
  constexpr std::int64_t rounds = 1000;
  caf::scoped_actor umpire{system};
  const auto aut = system.spawn(player, other);
  for (auto _ : state) {
    caf::anon_send(aut, rounds - 1, caf::actor{umpire});
    umpire->receive([](std::int64_t) {});
  }
  caf::anon_send(aut, caf::ok_atom::value);
  state.SetItemsProcessed(2 * rounds * state.iterations());
}

/// Both on the pool: the running thread takes the message up itself.
void hop_in_pool(benchmark::State& state) {
  const pool on{static_cast<std::size_t>(state.range(0))};
  play(state, *on.system, on.system->spawn(echo));
}
BENCHMARK(hop_in_pool)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();

/// To an actor with a thread of its own and back: a sleeper is woken each time.
void hop_across_threads(benchmark::State& state) {
  const pool on{static_cast<std::size_t>(state.range(0))};
  play(state, *on.system, on.system->spawn<caf::detached>(echo));
}
BENCHMARK(hop_across_threads)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();

/// An actor for one task, as the request actors are.
void spawn_and_end(benchmark::State& state) {
  const pool on{static_cast<std::size_t>(state.range(0))};
  caf::scoped_actor umpire{*on.system};
  for (auto _ : state) {
    const auto aut = on.system->spawn(echo);
    caf::anon_send(aut, caf::ok_atom::value);
    umpire->wait_for(aut);
  }
}
BENCHMARK(spawn_and_end)->Arg(1)->UseRealTime()->MeasureProcessCPUTime();

} // namespace
