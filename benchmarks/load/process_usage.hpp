/// What processes of this machine use, from /proc.
#pragma once

#include <cstdint>
#include <vector>

namespace lang_agent::load {

/// The processes that listen on a TCP port, without their children. Empty: none, or they are hidden
/// from us.
std::vector<int> listeners_of(std::uint16_t port);

/// Adds the children of processes, and theirs.
std::vector<int> with_children(std::vector<int> pids);

/// Processor time and memory of some processes, from its making on. Looks at nothing else: a walk
/// through all of /proc would hold up a load for milliseconds.
class process_usage {
public:
  explicit process_usage(std::vector<int> pids);

  /// False: one of them has ended, and the figures lack it.
  bool is_complete() const;

  /// Of all, since the start.
  double cpu_seconds() const;

  /// Of all, now; bytes.
  std::uint64_t resident_bytes() const;

private:
  std::vector<int> pids_;
  double cpu_at_start_;
};

} // namespace lang_agent::load
