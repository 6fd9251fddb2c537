// Probe: where a call sends its events. A null check when nobody listens.
//
//   op.probe.Emit([&] { return Event{.kind = EventKind::kDataRead, .subject = node.value}; });
//
// The lambda is not run when nobody listens; LAMINA_NO_TRACE removes even the check.
//
// Threads: a Probe is a plain value; a sink that is shared between threads guards itself. No lock
// of lamina is held around OnEvent of a sink outside lamina.
#ifndef LAMINA_TRACE_PROBE_H_
#define LAMINA_TRACE_PROBE_H_

#include <utility>

#include "lamina/trace/event.h"

namespace lamina {

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnEvent(const Event& event) = 0;
};

class Probe {
 public:
  Probe() = default;
  explicit Probe(EventSink* sink) : sink_(sink) {}

  template <typename MakeEvent>
  void Emit([[maybe_unused]] MakeEvent&& make) const {
#if !defined(LAMINA_NO_TRACE)  // clang-format off
    if (sink_ != nullptr) [[unlikely]] sink_->OnEvent(std::forward<MakeEvent>(make)());
#endif  // clang-format on
  }

  bool listening() const { return sink_ != nullptr; }

 private:
  EventSink* sink_ = nullptr;
};

}  // namespace lamina
#endif  // LAMINA_TRACE_PROBE_H_
