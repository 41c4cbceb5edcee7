#include "daemon/upstream/session.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/daemon/session_world.hpp"

/// What a session sends and receives; its time-outs are in session_time_test.cpp.
namespace wskeep::upstream {
namespace {

using daemon::Error;

TEST(Session, ReceivesAndSends) {
  SessionWorld world;
  world.begin();
  world.say(text_frame("hello"));
  EXPECT_EQ(world.messages(), (Texts{"hello"}));
  EXPECT_EQ(world.publish("answer", 1), "");
  EXPECT_EQ(world.hear(), Texts{});  // `flush` is the publisher's to call
  world.session->flush();
  EXPECT_EQ(world.hear(), (Texts{"text:answer"}));
  EXPECT_EQ(world.publisher->told, (Texts{"written 1"}));
  EXPECT_FALSE(world.end);
}

TEST(Session, EarlyBytesWithThe101AreDelivered) {
  SessionWorld world;
  world.begin(text_frame("early") + frame(Opcode::ping, "p") + text_frame("cut").substr(0, 3));
  EXPECT_EQ(world.messages(), (Texts{"early"}));
  EXPECT_EQ(world.hear(), (Texts{"pong:p"}));
  world.say(text_frame("cut").substr(3));
  EXPECT_EQ(world.messages(), (Texts{"early", "cut"}));
}

TEST(Session, ACloseFrameWithThe101IsAnswered) {
  SessionWorld world;
  world.begin(text_frame("only") + close_frame(1012, "restart"));
  EXPECT_EQ(world.hear(), (Texts{"close:1012 "}));
  world.peer().end();
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.error(), Error::closed_by_peer);
  EXPECT_EQ(world.messages(), (Texts{"only"}));
}

TEST(Session, MessagesBeforeACloseInTheSameReadAreDeliveredToReadersAndThoseBehindIgnored) {
  SessionWorld world;
  world.begin();
  LocalApp app(world.environment, world.channel, 0);
  world.say(text_frame("before") + close_frame(1000, "done") + text_frame("behind"));
  world.say(text_frame("later") + "garbage");
  world.peer().end();
  world.settle();
  ASSERT_TRUE(app.read());
  EXPECT_EQ(app.ears.heard, (Texts{"text:before"}));
  EXPECT_EQ(world.messages(), (Texts{"before"}));
  EXPECT_EQ(world.hear(), (Texts{"close:1000 "}));
}

TEST(Session, CloseByUpstreamIsAnsweredWithItsCodeAndEndsWithTheStream) {
  SessionWorld world;
  world.begin();
  world.say(close_frame(4000, "see you"));
  EXPECT_EQ(world.hear(), (Texts{"close:4000 "}));
  EXPECT_TRUE(world.peer().finished());
  EXPECT_FALSE(world.end);
  EXPECT_FALSE(world.session->open());
  EXPECT_EQ(world.publish("late"), "not_connected");
  world.peer().end();
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->failure.error, Error::closed_by_peer);
  EXPECT_EQ(world.end->failure.text, "upstream closed with 4000: see you");
  EXPECT_EQ(world.end->close_code, 4000);
  EXPECT_EQ(world.end->reason, "see you");
  EXPECT_EQ(world.end->closed_by, ClosedBy::upstream);
  EXPECT_EQ(world.ended_at, 0ms);
}

TEST(Session, AnEmptyCloseFrameIsAnsweredByOne) {
  SessionWorld world;
  world.begin();
  world.say(frame(Opcode::close, ""));
  EXPECT_EQ(world.hear(), (Texts{"close"}));
  world.peer().reset();  // after both Close frames it does not matter how the stream ends
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->failure.error, Error::closed_by_peer);
  EXPECT_EQ(world.end->close_code, 1005);
}

TEST(Session, CloseFramesThatNobodyMaySendAreAnsweredByTheirViolation) {
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 2000U, 2999U, 5000U, 65'535U}) {
    SessionWorld world;
    world.begin();
    world.say(close_frame(code));
    const Texts heard = world.hear();
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_TRUE(heard[0].starts_with("close:1002 ")) << heard[0];
    world.peer().end();
    world.settle();
    EXPECT_EQ(world.error(), Error::protocol_error);
    EXPECT_EQ(world.end->close_code, code);
  }
  const std::pair<std::string, std::string> others[] = {
      {frame(Opcode::close, "\x03"), "close:1002 "},  // half a code
      {close_frame(1000, "\xC0\xAF"), "close:1007 "}};
  for (const auto& [bytes, answer] : others) {
    SessionWorld world;
    world.begin();
    world.say(bytes);
    const Texts heard = world.hear();
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_TRUE(heard[0].starts_with(answer)) << heard[0];
  }
}

TEST(Session, OurOwnCloseEndsWithTheOtherSidesAnswer) {
  SessionWorld world;
  world.begin();
  world.session->close(websocket::CloseCode::going_away, "stopping", Error::stopped);
  world.session->close(websocket::CloseCode::normal, "again", Error::internal);
  EXPECT_EQ(world.hear(), (Texts{"close:1001 stopping"}));
  // What is on its way still comes.
  world.say(text_frame("late") + close_frame(1001));
  EXPECT_EQ(world.hear(), Texts{});
  world.peer().end();
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.messages(), (Texts{"late"}));
  EXPECT_EQ(world.end->failure.error, Error::stopped);
  EXPECT_EQ(world.end->close_code, 1001);
  EXPECT_EQ(world.end->reason, "stopping");
  EXPECT_EQ(world.end->closed_by, ClosedBy::wskeep);
}

TEST(Session, CloseFramesThatCrossEndLikeOne) {
  SessionWorld world;
  world.begin();
  world.peer().send(close_frame(1000));
  world.session->close(websocket::CloseCode::going_away, "stopping", Error::stopped);
  world.settle();
  EXPECT_EQ(world.hear(), (Texts{"close:1001 stopping"}));
  world.peer().end();
  world.settle();
  EXPECT_EQ(world.error(), Error::stopped);
}

TEST(Session, ViolationsAreAnsweredByTheirCodeAndEndTheSession) {
  const std::tuple<std::string, std::string, Error> cases[] = {
      {std::string("\x83\x00", 2), "close:1002 ", Error::protocol_error},
      {frame(Opcode::text, "x", true, true), "close:1002 ", Error::protocol_error},
      {frame(Opcode::continuation, "x"), "close:1002 ", Error::protocol_error},
      {std::string("\x81\x80mask", 6), "close:1002 ", Error::protocol_error},
      {text_frame("\xFF"), "close:1007 ", Error::invalid_payload},
      {text_frame(std::string(5000, 'x')), "close:1009 ", Error::message_too_big},
  };
  for (const auto& [bytes, answer, error] : cases) {
    SessionWorld world(channel_options(0ms, 4096));
    world.begin();
    world.say(text_frame("before") + bytes + text_frame("behind"));
    const Texts heard = world.hear();
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_TRUE(heard[0].starts_with(answer)) << heard[0];
    EXPECT_TRUE(world.peer().finished());
    world.say(text_frame("more"));
    world.peer().reset();
    world.settle();
    ASSERT_TRUE(world.end);
    EXPECT_EQ(world.end->failure.error, error);
    EXPECT_EQ(world.end->closed_by, ClosedBy::wskeep);
    EXPECT_EQ(world.messages(), (Texts{"before"}));
    EXPECT_EQ(world.statistics.discarded_messages, 0U);
  }
}

TEST(Session, EndsWithoutACloseFrameAreToldApart) {
  const std::tuple<std::string, bool, Error, Error> cases[] = {
      // what came before, reset or end, how, what it is called
      {"", true, Error::connection_reset, Error::connection_reset},
      {"", false, Error::none, Error::connection_closed},
      {"", false, Error::tls_truncated, Error::connection_closed},
      {"\x81", false, Error::tls_truncated, Error::tls_truncated},
      {"\x81", false, Error::none, Error::connection_closed},
  };
  for (const auto& [before, reset, how, error] : cases) {
    SessionWorld world;
    world.begin();
    world.say(text_frame("whole") + before);
    reset ? world.peer().reset(how) : world.peer().end(how);
    world.settle();
    ASSERT_TRUE(world.end);
    EXPECT_EQ(world.end->failure.error, error);
    EXPECT_EQ(world.end->close_code, 1006);
    EXPECT_EQ(world.end->closed_by, ClosedBy::network);
    EXPECT_EQ(world.statistics.discarded_messages, before.empty() ? 0U : 1U);
    EXPECT_EQ(world.messages(), (Texts{"whole"}));
  }
}

TEST(Session, AMessageCutOffIsDiscardedAndCounted) {
  for (const auto& part : {frame(Opcode::text, "a fragment", false), text_frame("cut").substr(0, 4),
                           frame(Opcode::text, "a", false) + frame(Opcode::ping, "p")}) {
    SessionWorld world;
    world.begin();
    world.say(part);
    world.peer().reset();
    world.settle();
    EXPECT_EQ(world.error(), Error::connection_reset);
    EXPECT_TRUE(world.messages().empty());
    EXPECT_EQ(world.statistics.discarded_messages, 1U);
  }
}

TEST(Session, OfSeveralPingsInOneReadTheLastIsAnswered) {
  SessionWorld world;
  world.begin();
  std::string flood;
  for (int i = 0; i < 10'000; ++i) flood += frame(Opcode::ping, std::to_string(i));
  world.say(flood + text_frame("between"));
  const Texts heard = world.hear();
  EXPECT_LE(heard.size(), 2U);
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard.back(), "pong:9999");
  EXPECT_EQ(world.statistics.pings_in, 10'000U);
  EXPECT_EQ(world.messages(), (Texts{"between"}));
}

TEST(Session, APingFloodOfOneThatDoesNotReadIsBounded) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(300);
  for (int i = 0; i < 1000; ++i) world.say(frame(Opcode::ping, std::string(125, 'p')));
  EXPECT_LE(world.session->unsent(), 300U);
  EXPECT_FALSE(world.end);
}

TEST(Session, AFloodOfPongsIsCountedAndNothingElse) {
  SessionWorld world;
  world.begin();
  std::string flood;
  for (int i = 0; i < 10'000; ++i) flood += frame(Opcode::pong, "12345678");
  world.say(flood);
  EXPECT_EQ(world.statistics.pongs_in, 10'000U);
  EXPECT_EQ(world.statistics.round_trip.count(), 0);
  EXPECT_EQ(world.hear(), Texts{});
}

TEST(Session, PublishingIsRefusedForWhatCannotBeSent) {
  SessionWorld world(channel_options(0ms, 1000));
  world.settings.send_buffer = 2000;
  world.begin();
  EXPECT_EQ(world.publish(std::string(1001, 'x')), "too_large");
  world.peer().set_room(0);
  EXPECT_EQ(world.publish(std::string(1000, 'a'), 1), "");
  EXPECT_TRUE(world.session->accepts_more());
  EXPECT_EQ(world.publish(std::string(1000, 'b'), 2), "");
  EXPECT_FALSE(world.session->accepts_more());
  EXPECT_EQ(world.publish("c", 3), "send_buffer_full");
  world.session->flush();
  world.settle();
  EXPECT_EQ(world.publisher->told, Texts{});
  world.session->close(websocket::CloseCode::normal, "", Error::stopped);
  EXPECT_EQ(world.publish("d"), "not_connected");
  world.peer().reset();
  world.settle();
  EXPECT_EQ(world.publish("e"), "not_connected");
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 1 stopped", "unknown 2 stopped"}));
}

TEST(Session, ReceiptsComeAsTheServerTakesTheMessages) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(100);
  for (std::uint64_t i = 1; i <= 3; ++i) world.publish(std::string(80, 'x'), i);
  world.session->flush();
  EXPECT_EQ(world.publisher->told, (Texts{"written 1"}));
  EXPECT_EQ(world.hear().size(), 1U);
  world.settle();
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "written 2"}));
  world.hear();
  world.hear();
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "written 2", "written 3"}));
}

TEST(Session, WhatWasUnderWayWhenTheConnectionEndedIsUnknown) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(100);
  for (std::uint64_t i = 1; i <= 3; ++i) world.publish(std::string(80, 'x'), i);
  world.session->flush();
  world.peer().reset();
  world.settle();
  EXPECT_EQ(world.publisher->told,
            (Texts{"written 1", "unknown 2 connection_reset", "unknown 3 connection_reset"}));
}

TEST(Session, MessagesBehindWhichTheCloseFrameWaitsAreStillSent) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(50);
  world.publish(std::string(100, 'x'), 1);
  world.session->flush();
  world.say(close_frame(1000));
  EXPECT_FALSE(world.peer().finished());
  Texts heard;
  for (int i = 0; i < 10; ++i)
    for (auto& one : world.hear()) heard.push_back(one);
  EXPECT_EQ(heard, (Texts{"text:" + std::string(100, 'x'), "close:1000 "}));
  EXPECT_TRUE(world.peer().finished());
  EXPECT_EQ(world.publisher->told, (Texts{"written 1"}));
}

TEST(Session, CompressionBothWays) {
  SessionWorld world;
  world.begin("", websocket::DeflateParameters{});
  websocket::Deflater deflater(15, false);
  const std::string large(50'000, 'z');
  for (int i = 0; i < 2; ++i) {
    std::vector<std::byte> deflated;
    ASSERT_TRUE(deflater.compress(as_payload(large), deflated));
    world.say(frame(Opcode::binary, as_text(deflated), true, true));
    world.publish(large);
    world.session->flush();
    EXPECT_EQ(world.hear(), (Texts{"text:" + large}));
  }
  EXPECT_EQ(world.messages(), (Texts{large, large}));
  EXPECT_LT(world.statistics.wire_bytes_in, 1000U);
  EXPECT_LT(world.statistics.wire_bytes_out, 1000U);
}

TEST(Session, AReaderThatKeepsUpIsNotWaitedForWhenOneReadInflatesToManyRings) {
  // Were it waited for, it would be for an hour of real time.
  SessionWorld world(channel_options(1h, 4096));
  world.begin("", websocket::DeflateParameters{});
  LocalApp app(world.environment, world.channel, 1 << 20);
  websocket::Deflater deflater(15, false);
  std::string burst;
  for (int i = 0; i < 40; ++i) {
    std::vector<std::byte> deflated;
    ASSERT_TRUE(deflater.compress(as_payload(std::string(4096, 'x')), deflated));
    burst += frame(Opcode::text, as_text(deflated), true, true);
  }
  world.say(burst);
  EXPECT_EQ(world.statistics.messages_in, 40U);
  while (app.read()) world.settle();
  EXPECT_EQ(app.ears.heard.size(), 40U);
}

TEST(Session, WhatCameBeforeAWriteFailedIsStillReceived) {
  SessionWorld world;
  world.begin();
  // The server has said its last words and gone; we learn of it by sending.
  world.peer().send(text_frame("last words") + close_frame(1008, "rate limit"));
  world.peer().reset();
  world.pipe->may_go_on = [write = true]() mutable { return !std::exchange(write, false); };
  world.publish("too late", 1);
  world.session->flush();
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.messages(), (Texts{"last words"}));
  EXPECT_EQ(world.end->failure.error, Error::closed_by_peer);
  EXPECT_EQ(world.end->close_code, 1008);
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 1 closed_by_peer"}));
}

TEST(Session, AWriteThatFailedEndsItAlsoWhenNothingIsToBeReceived) {
  SessionWorld world;
  world.begin();
  world.pipe->may_go_on = [write = true]() mutable { return !std::exchange(write, false); };
  world.publish("lost", 1);
  world.session->flush();
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->failure.error, Error::connection_reset);
  EXPECT_EQ(world.end->closed_by, ClosedBy::network);
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 1 connection_reset"}));
}

/// The reader's socket is full, the channel waits for it, and more has come than the ring holds.
struct StalledWorld : SessionWorld {
  StalledWorld() : SessionWorld(channel_options(1h)) {
    begin();
    for (int i = 0; i < 200; ++i) peer().send(text_frame(std::string(1000, 'x')));
    peer().send(text_frame("last words") + close_frame(1008, "rate limit"));
    settle();
    EXPECT_EQ(channel.statistics().stalls, 1U);
    EXPECT_FALSE(pipe->to_us.empty());
    peer().reset();
    pipe->may_go_on = [write = true]() mutable { return !std::exchange(write, false); };
    publish("too late", 1);
    session->flush();
    settle();
  }
  LocalApp app{environment, channel, 4096};
};

TEST(Session, WhatCameBeforeAWriteFailedIsReceivedAlsoWhenALocalReaderHasToMakeRoom) {
  StalledWorld world;
  EXPECT_FALSE(world.end);
  world.run_for(4'999ms);
  while (world.app.read()) world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.app.ears.heard.size(), 201U);
  EXPECT_EQ(world.app.ears.heard.back(), "text:last words");
  EXPECT_EQ(world.end->failure.error, Error::closed_by_peer);
  EXPECT_EQ(world.end->close_code, 1008);
  EXPECT_EQ(world.channel.statistics().lost_messages, 0U);
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 1 closed_by_peer"}));
}

TEST(Session, AReaderThatNeverMakesRoomHoldsAFailedConnectionOnlySoLong) {
  StalledWorld world;
  world.run_for(4'999ms);
  EXPECT_FALSE(world.end);
  world.run_for(1ms);
  EXPECT_EQ(world.error(), Error::connection_reset);
}

}  // namespace
}  // namespace wskeep::upstream
