#include "benchmarks/load/process_usage.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace lang_agent::load {

namespace fs = std::filesystem;

namespace {

std::vector<int> all_processes() {
  std::vector<int> out;
  std::error_code ec;
  for (fs::directory_iterator i{"/proc", ec}; !ec && i != fs::directory_iterator{};
       i.increment(ec)) {
    const auto name = i->path().filename().string();
    if (std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); }))
      out.push_back(std::stoi(name));
  }
  return out;
}

std::string proc(int pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

/// Fields of /proc/PID/stat from the third on: what comes before may contain anything.
std::vector<std::string> stat_of(int pid) {
  std::ifstream in{proc(pid, "stat")};
  std::string line;
  std::getline(in, line);
  std::vector<std::string> out;
  std::istringstream fields{line.substr(std::min(line.rfind(')') + 1, line.size()))};
  for (std::string x; fields >> x;)
    out.push_back(x);
  return out;
}

int parent_of(int pid) {
  const auto fields = stat_of(pid);
  return fields.size() > 1 ? std::stoi(fields[1]) : 0;
}

double cpu_seconds_of(int pid) {
  const auto fields = stat_of(pid);
  if (fields.size() < 13)
    return 0;
  const auto ticks = std::stod(fields[11]) + std::stod(fields[12]); // utime, stime
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t resident_bytes_of(int pid) {
  std::ifstream in{proc(pid, "statm")};
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  in >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

template <class T>
T sum_of(const std::vector<int>& pids, T (*each)(int)) {
  T out{};
  for (const auto pid : pids)
    out += each(pid);
  return out;
}

void add_listening_sockets(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream in{table};
  std::string line;
  std::getline(in, line);
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", port);
  while (std::getline(in, line)) {
    std::istringstream fields{line};
    std::string number, local, remote, state, queues, timer, retransmits, user, timeouts, inode;
    fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user
        >> timeouts >> inode;
    if (state == "0A" && local.ends_with(wanted))
      inodes.insert("socket:[" + inode + "]");
  }
}

bool has_one_of(int pid, const std::set<std::string>& sockets) {
  std::error_code ec;
  for (fs::directory_iterator i{proc(pid, "fd"), ec}; !ec && i != fs::directory_iterator{};
       i.increment(ec)) {
    std::error_code gone;
    if (sockets.contains(fs::read_symlink(i->path(), gone).string()))
      return true;
  }
  return false;
}

} // namespace

std::vector<int> listeners_of(std::uint16_t port) {
  std::set<std::string> sockets;
  add_listening_sockets("/proc/net/tcp", port, sockets);
  add_listening_sockets("/proc/net/tcp6", port, sockets);
  std::vector<int> out;
  if (sockets.empty())
    return out;
  for (const auto pid : all_processes())
    if (has_one_of(pid, sockets))
      out.push_back(pid);
  return out;
}

std::vector<int> with_children(std::vector<int> pids) {
  std::multimap<int, int> children;
  for (const auto pid : all_processes())
    children.emplace(parent_of(pid), pid);
  std::set<int> seen{pids.begin(), pids.end()};
  for (std::size_t i = 0; i < pids.size(); ++i) {
    const auto [begin, end] = children.equal_range(pids[i]);
    for (auto child = begin; child != end; ++child)
      if (seen.insert(child->second).second)
        pids.push_back(child->second);
  }
  return pids;
}

process_usage::process_usage(std::vector<int> pids)
    : pids_(std::move(pids)), cpu_at_start_(sum_of(pids_, cpu_seconds_of)) {}

bool process_usage::is_complete() const {
  return std::none_of(pids_.begin(), pids_.end(), [](int pid) { return stat_of(pid).empty(); });
}

double process_usage::cpu_seconds() const {
  return sum_of(pids_, cpu_seconds_of) - cpu_at_start_;
}

std::uint64_t process_usage::resident_bytes() const {
  return sum_of(pids_, resident_bytes_of);
}

} // namespace lang_agent::load
