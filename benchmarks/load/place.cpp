#include "benchmarks/load/place.hpp"

#include <boost/asio/io_context.hpp>

#include <stdexcept>
#include <string>

namespace lang_agent::load {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

error_code connect(tcp::socket& socket, asio::io_context& context, const tcp::endpoint& to,
                   std::chrono::milliseconds patience) {
  error_code out = asio::error::timed_out;
  socket.async_connect(to, [&out](const error_code& ec) { out = ec; });
  context.restart();
  context.run_for(patience);
  if (!context.stopped()) {
    socket.close();
    context.run();
    out = asio::error::timed_out;
  }
  return out;
}

} // namespace

place find_place(const base_url& where, std::chrono::milliseconds patience) {
  asio::io_context context;
  error_code ec;
  const auto found = tcp::resolver{context}.resolve(where.host, std::to_string(where.port), ec);
  if (ec)
    throw std::runtime_error{"the name " + where.host + " has no address (" + ec.message()
                             + "): check the host in --target"};
  for (const auto& entry : found) {
    tcp::socket socket{context};
    ec = connect(socket, context, entry.endpoint(), patience);
    if (!ec)
      return {entry.endpoint(), socket.local_endpoint().address() == entry.endpoint().address()};
  }
  throw std::runtime_error{"nothing listens at " + where.authority + " (" + ec.message()
                           + "): start the server, or check host and port in --target"};
}

} // namespace lang_agent::load
