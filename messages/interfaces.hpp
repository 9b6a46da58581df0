/// The typed handles of all actors between which a turn travels. One comment per actor, one line
/// per message; the messages themselves are in `protocol.hpp`.
#pragma once

#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <memory>

namespace lang_agent {

class turn;
class llm_order;
using turn_ptr = std::shared_ptr<turn>;
using order_ptr = std::shared_ptr<llm_order>;

struct account_answer;
struct answer_deltas;
struct answer_found;
struct attempt_begun;
struct attempt_failed;
struct ask_account;
struct ask_store;
struct body_arrived;
struct change_account;
struct change_accounts;
struct change_thread;
struct client_gone;
struct commit_group;
struct credit_granted;
struct find_answer;
struct llm_attempt;
struct llm_client_idle;
struct load_thread;
struct note_key_use;
struct note_usage;
struct notes_due;
struct order_cancelled;
struct order_completed;
struct order_failed;
struct queue_tick;
struct retry_due;
struct store_answer;
struct store_turn;
struct stream_drained;
struct stream_silent;
struct tenants_configured;
struct thread_changed;
struct thread_loaded;
struct turn_cancelled;
struct turn_committed;
struct turn_failed;
struct turn_replayed;
struct turn_stored;
struct upstream_completed;
struct upstream_deltas;
struct upstream_failed;
struct upstream_probed;

/// One HTTP request that asks for a turn; lives until its answer is handed to the connection.
using request_actor = caf::typed_actor<caf::reacts_to<answer_deltas>,  //
                                       caf::reacts_to<turn_committed>, //
                                       caf::reacts_to<turn_replayed>,  //
                                       caf::reacts_to<turn_failed>,    //
                                       caf::reacts_to<stream_drained>, //
                                       caf::reacts_to<stream_silent>,  //
                                       caf::reacts_to<client_gone>>;

/// Whoever asks something of the store for the thread API.
using store_client_actor = caf::typed_actor<caf::reacts_to<store_answer>>;

/// Whoever asks something of the accounts actor.
using account_client_actor = caf::typed_actor<caf::reacts_to<account_answer>>;

/// The one that changes tenants and keys.
using accounts_actor = caf::typed_actor<caf::reacts_to<tenants_configured>, //
                                        caf::reacts_to<ask_account>,        //
                                        caf::reacts_to<change_account>,     //
                                        caf::reacts_to<store_answer>,       //
                                        caf::reacts_to<queue_tick>>;

/// One HTTP request to the admin API.
using admin_request_actor = caf::typed_actor<caf::reacts_to<account_answer>, //
                                             caf::reacts_to<store_answer>,   //
                                             caf::reacts_to<stream_drained>, //
                                             caf::reacts_to<client_gone>>;

/// One HTTP request about threads.
using thread_request_actor = caf::typed_actor<caf::reacts_to<store_answer>,   //
                                              caf::reacts_to<body_arrived>,   //
                                              caf::reacts_to<stream_drained>, //
                                              caf::reacts_to<client_gone>>;

/// Deletes what has had no turn for too long.
using retention_actor = caf::typed_actor<caf::reacts_to<store_answer>, //
                                         caf::reacts_to<queue_tick>>;

/// A shard of the directory: finds or spawns the conversation of a thread.
using directory_actor = caf::typed_actor<caf::reacts_to<turn_ptr>,       //
                                         caf::reacts_to<turn_cancelled>, //
                                         caf::reacts_to<change_thread>,  //
                                         caf::reacts_to<queue_tick>>;

/// One thread of one tenant: its history, its waiting turns, one running turn.
using conversation_actor = caf::typed_actor<caf::reacts_to<turn_ptr>,        //
                                            caf::reacts_to<turn_cancelled>,  //
                                            caf::reacts_to<change_thread>,   //
                                            caf::reacts_to<thread_loaded>,   //
                                            caf::reacts_to<answer_found>,    //
                                            caf::reacts_to<order_completed>, //
                                            caf::reacts_to<order_failed>,    //
                                            caf::reacts_to<turn_stored>,     //
                                            caf::reacts_to<thread_changed>,  //
                                            caf::reacts_to<queue_tick>>;

/// Finds an upstream for each order, or a place in its bounded queue; tries again where that helps.
using llm_pool_actor = caf::typed_actor<caf::reacts_to<order_ptr>,       //
                                        caf::reacts_to<order_cancelled>, //
                                        caf::reacts_to<llm_client_idle>, //
                                        caf::reacts_to<attempt_begun>,   //
                                        caf::reacts_to<attempt_failed>,  //
                                        caf::reacts_to<retry_due>,       //
                                        caf::reacts_to<upstream_probed>, //
                                        caf::reacts_to<queue_tick>>;

/// Runs one exchange with an upstream at a time.
using llm_client_actor = caf::typed_actor<caf::reacts_to<llm_attempt>,        //
                                          caf::reacts_to<order_cancelled>,    //
                                          caf::reacts_to<credit_granted>,     //
                                          caf::reacts_to<upstream_deltas>,    //
                                          caf::reacts_to<upstream_completed>, //
                                          caf::reacts_to<upstream_failed>>;

/// Owns the thread store; commits in groups.
using journal_actor = caf::typed_actor<caf::reacts_to<load_thread>,     //
                                       caf::reacts_to<find_answer>,     //
                                       caf::reacts_to<store_turn>,      //
                                       caf::reacts_to<ask_store>,       //
                                       caf::reacts_to<change_thread>,   //
                                       caf::reacts_to<change_accounts>, //
                                       caf::reacts_to<note_usage>,      //
                                       caf::reacts_to<note_key_use>,    //
                                       caf::reacts_to<notes_due>,       //
                                       caf::reacts_to<commit_group>,    //
                                       caf::reacts_to<queue_tick>>;

} // namespace lang_agent
