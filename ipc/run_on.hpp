#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <type_traits>
#include <utility>

namespace wskeep::ipc {

/// Calls `start(done)` on another shard, and goes on here when `done(result)` was called there, at
/// once or later. `done` is called exactly once; `start` and what it refers to live on in the
/// awaiting coroutine, which cannot be cancelled meanwhile.
template <typename Result, typename Start>
boost::asio::awaitable<Result> run_on(boost::asio::any_io_executor shard, Start start) {
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable),
                                                 void(Result)>(
      [](auto handler, boost::asio::any_io_executor there, Start* begin) {
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        boost::asio::post(there, [kept, begin] {
          (*begin)([kept](Result result) {
            auto here = boost::asio::get_associated_executor(*kept);
            boost::asio::post(
                here, [kept, value = std::make_shared<Result>(std::move(result))]() mutable {
                  (*kept)(std::move(*value));
                });
          });
        });
      },
      boost::asio::use_awaitable, std::move(shard), &start);
}

/// The same for what is done at once.
template <typename Function, typename Result = std::invoke_result_t<Function&>>
boost::asio::awaitable<Result> call_on(boost::asio::any_io_executor shard, Function function) {
  auto start = [&function](auto done) { done(function()); };
  co_return co_await run_on<Result>(std::move(shard), std::move(start));
}

}  // namespace wskeep::ipc
