#include "actors/scheduler.hpp"

#include "actors/asio_clock.hpp"

#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <boost/asio/defer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace lang_agent {

namespace asio = boost::asio;

namespace {

/// Messages that an actor may take in one go before others get their turn.
constexpr std::size_t messages_in_a_row = 50;

class asio_scheduler final : public caf::scheduler::abstract_coordinator,
                             public caf::execution_unit {
public:
  asio_scheduler(caf::actor_system& sys, std::size_t threads)
      : abstract_coordinator(sys),
        execution_unit(&sys),
        thread_count_(threads),
        context_(std::make_unique<asio::io_context>(static_cast<int>(threads))),
        clock_(*context_) {}

  asio::io_context& context() {
    return *context_;
  }

  // -- abstract_coordinator

  void init(caf::actor_system_config& config) override {
    abstract_coordinator::init(config);
    num_workers_ = thread_count_;
    max_throughput_ = messages_in_a_row;
  }

  void start() override {
    work_.emplace(context_->get_executor());
    for (std::size_t i = 0; i < thread_count_; ++i)
      threads_.emplace_back([this] { run(); });
    abstract_coordinator::start(); // CAF's printer, in a thread of its own
  }

  void stop() override {
    stop_actors();
    clock_.stop();
    work_.reset();
    context_->stop();
    for (auto& thread : threads_)
      thread.join();
    threads_.clear();
    // What is still queued ends here, actors included, while their system is alive.
    context_.reset();
  }

  void enqueue(caf::resumable* what) override {
    exec_later(what);
  }

  caf::actor_clock& clock() noexcept override {
    return clock_;
  }

  // -- execution_unit: all threads share this one

  void exec_later(caf::resumable* what) override {
    // From inside the pool: goes to the running thread's own queue.
    if (!context_)
      cleanup_and_release(what);
    else if (context_->get_executor().running_in_this_thread())
      asio::defer(*context_, job{*this, what});
    else
      asio::post(*context_, job{*this, what});
  }

private:
  /// A reference to something that wants to run; given back if it never does.
  class job {
  public:
    job(asio_scheduler& home, caf::resumable* what) : home_(&home), what_(what) {}
    job(job&& other) noexcept : home_(other.home_), what_(std::exchange(other.what_, nullptr)) {}
    job& operator=(job&&) = delete;
    ~job() {
      if (what_)
        cleanup_and_release(what_);
    }

    void operator()() {
      home_->resume(std::exchange(what_, nullptr));
    }

  private:
    asio_scheduler* home_;
    caf::resumable* what_;
  };

  void resume(caf::resumable* what) {
    if (what->resume(this, max_throughput_) == caf::resumable::resume_later)
      exec_later(what);
    else
      caf::intrusive_ptr_release(what);
  }

  void run() {
    system().thread_started();
    while (true) {
      try {
        context_->run();
        break;
      } catch (const std::exception& e) {
        // No handler of ours throws in the normal course: one connection's fault, not the pool's.
        spdlog::error("exception in a handler what=\"{}\"", e.what());
      }
    }
    system().thread_terminates();
  }

  caf::actor_system& system() {
    return abstract_coordinator::system();
  }

  std::size_t thread_count_;
  std::unique_ptr<asio::io_context> context_; ///< gone once stopped
  asio_clock clock_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

} // namespace

void use_asio_scheduler(caf::actor_system_config& config, std::size_t threads) {
  config.module_factories.emplace_back(
      [threads](caf::actor_system& sys) -> caf::actor_system::module* {
        return new asio_scheduler(sys, threads);
      });
}

asio::io_context& io_context_of(caf::actor_system& system) {
  return dynamic_cast<asio_scheduler&>(system.scheduler()).context();
}

} // namespace lang_agent
