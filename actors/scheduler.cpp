#include "actors/scheduler.hpp"

#include "actors/asio_clock.hpp"

#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

namespace lang_agent {

namespace asio = boost::asio;

namespace {

/// Messages that an actor may take in one go before others get their turn.
constexpr std::size_t messages_in_a_row = 50;
/// Actors that run in one go before the sockets get their turn.
constexpr std::size_t actors_in_a_row = 64;
/// The context is run by one thread: Asio then queues without waking others.
constexpr int one_thread = 1;

void drop(caf::resumable* x) {
  caf::scheduler::abstract_coordinator::cleanup_and_release(x);
}

/// An io_context that can let go of what it holds while others still run on: handlers of one may
/// own sockets of another.
class context : public asio::io_context {
public:
  context() : asio::io_context(one_thread) {}
  using asio::io_context::shutdown;
};

/// One thread of the pool: its io_context, and the actors that want to run on it.
class worker final : public caf::execution_unit {
public:
  explicit worker(caf::actor_system& system)
      : execution_unit(&system), work_(context_.get_executor()) {}

  asio::io_context& io() {
    return context_;
  }

  /// The worker of the running thread, if it is one.
  static worker*& current() {
    static thread_local worker* here = nullptr;
    return here;
  }

  void start() {
    thread_ = std::thread{[this] { run(); }};
  }

  void stop() {
    context_.stop();
    thread_.join();
  }

  /// After the end of all threads: what is still queued ends, while the other contexts exist.
  void drop_all() {
    while (!ready_.empty()) {
      auto* x = ready_.front();
      ready_.pop_front();
      drop(x);
    }
    context_.shutdown();
  }

  /// From its own thread. Its actors call it as their execution unit.
  void exec_later(caf::resumable* x) override {
    ready_.push_back(x);
    if (!awake_)
      wake();
  }

  /// From any other thread.
  void hand_over(caf::resumable* x) {
    asio::post(context_, job{*this, x});
  }

private:
  /// A reference to something that wants to run; given back if it never does.
  class job {
  public:
    job(worker& home, caf::resumable* what) : home_(&home), what_(what) {}
    job(job&& other) noexcept : home_(other.home_), what_(std::exchange(other.what_, nullptr)) {}
    job& operator=(job&&) = delete;
    ~job() {
      if (what_)
        drop(what_);
    }

    void operator()() {
      home_->exec_later(std::exchange(what_, nullptr));
    }

  private:
    worker* home_;
    caf::resumable* what_;
  };

  void run() {
    current() = this;
    system().thread_started();
    while (true) {
      try {
        context_.run();
        break;
      } catch (const std::exception& e) {
        // No handler of ours throws in the normal course: one connection's fault, not the pool's.
        spdlog::error("exception in a handler what=\"{}\"", e.what());
      }
    }
    system().thread_terminates();
    current() = nullptr;
  }

  void wake() {
    awake_ = true;
    asio::post(context_, [this] { run_ready(); });
  }

  void run_ready() {
    // Also when an actor throws, the others have to go on.
    const auto go_on = [this](void*) { ready_.empty() ? void(awake_ = false) : wake(); };
    const std::unique_ptr<void, decltype(go_on)> finally{this, go_on};
    for (auto n = actors_in_a_row; n > 0 && !ready_.empty(); --n) {
      auto* x = ready_.front();
      ready_.pop_front();
      resume(x);
    }
  }

  void resume(caf::resumable* x) {
    if (x->resume(this, messages_in_a_row) == caf::resumable::resume_later)
      exec_later(x);
    else
      caf::intrusive_ptr_release(x);
  }

  context context_;
  asio::executor_work_guard<http::executor> work_;
  std::thread thread_;
  std::deque<caf::resumable*> ready_; ///< for its own thread only
  bool awake_ = false;                ///< `run_ready` is queued
};

class asio_scheduler final : public caf::scheduler::abstract_coordinator {
public:
  asio_scheduler(caf::actor_system& system, std::size_t threads) : abstract_coordinator(system) {
    std::vector<asio::io_context*> contexts;
    for (std::size_t i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<worker>(system));
      contexts.push_back(&workers_.back()->io());
    }
    threads_ = std::make_unique<http::io_threads>(std::move(contexts));
    clock_ = std::make_unique<asio_clock>(threads_->first());
  }

  const http::io_threads& threads() const {
    return *threads_;
  }

  // -- abstract_coordinator

  void init(caf::actor_system_config& config) override {
    abstract_coordinator::init(config);
    num_workers_ = workers_.size();
    max_throughput_ = messages_in_a_row;
  }

  void start() override {
    for (const auto& x : workers_)
      x->start();
    abstract_coordinator::start(); // CAF's printer, in a thread of its own
  }

  void stop() override {
    stop_actors();
    clock_->stop();
    for (const auto& x : workers_)
      x->stop();
    stopped_ = true;
    // What is still queued ends here, actors included, while their system is alive.
    for (const auto& x : workers_)
      x->drop_all();
  }

  void enqueue(caf::resumable* x) override {
    if (stopped_)
      drop(x);
    else if (auto* here = worker::current(); here && is_ours(here))
      here->exec_later(x);
    else
      last_of(x).hand_over(x);
  }

  caf::actor_clock& clock() noexcept override {
    return *clock_;
  }

private:
  bool is_ours(const caf::execution_unit* x) const {
    return std::any_of(workers_.begin(), workers_.end(),
                       [x](const auto& y) { return y.get() == x; });
  }

  /// Where it ran last, which it may be asked while it does not run; before that, any.
  worker& last_of(caf::resumable* x) {
    if (x->subtype() == caf::resumable::scheduled_actor) {
      auto* last = static_cast<caf::scheduled_actor*>(x)->context();
      if (is_ours(last))
        return *static_cast<worker*>(last);
    }
    return *workers_[turn_++ % workers_.size()];
  }

  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<http::io_threads> threads_;
  std::unique_ptr<asio_clock> clock_;
  std::atomic<std::size_t> turn_{0};
  std::atomic<bool> stopped_{false};
};

} // namespace

void use_asio_scheduler(caf::actor_system_config& config, std::size_t threads) {
  config.module_factories.emplace_back(
      [threads](caf::actor_system& system) -> caf::actor_system::module* {
        return new asio_scheduler(system, threads);
      });
}

const http::io_threads& io_threads_of(caf::actor_system& system) {
  return dynamic_cast<asio_scheduler&>(system.scheduler()).threads();
}

} // namespace lang_agent
