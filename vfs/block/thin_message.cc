// Messages to the pool: devices made and deleted, the transaction id, the metadata snapshot.
#include <array>
#include <optional>
#include <vector>

#include "lamina/block/thin_pool.h"
#include "vfs/block/table_words.h"

namespace lamina {
namespace {

using internal::DecimalOf;
using internal::SameWord;
using Numbers = std::vector<std::uint64_t>;

// The answers that say no and change nothing; every other error is a failure of the metadata.
bool IsRefusal(Errno error) {
  return error == Errno::kInval || error == Errno::kExist || error == Errno::kNoData ||
         error == Errno::kBusy || error == Errno::kOverflow;
}

struct MessageForm {
  std::string_view name;
  std::size_t arguments;
  Result<void> (*send)(ThinPool&, const OpContext&, const Numbers&);
};

constexpr std::array<MessageForm, 6> kForms = {{
    {"create_thin", 1,
     [](ThinPool& pool, const OpContext& op, const Numbers& n) {
       return pool.CreateThin(op, ThinId{n[0]});
     }},
    {"create_snap", 2,
     [](ThinPool& pool, const OpContext& op, const Numbers& n) {
       return pool.CreateSnapshot(op, ThinId{n[0]}, ThinId{n[1]});
     }},
    {"delete", 1,
     [](ThinPool& pool, const OpContext& op, const Numbers& n) {
       return pool.Delete(op, ThinId{n[0]});
     }},
    {"set_transaction_id", 2,
     [](ThinPool& pool, const OpContext& op, const Numbers& n) {
       return pool.SetTransactionId(op, n[0], n[1]);
     }},
    {"reserve_metadata_snap", 0,
     [](ThinPool& pool, const OpContext& op, const Numbers&) {
       return pool.ReserveMetadataSnapshot(op);
     }},
    {"release_metadata_snap", 0,
     [](ThinPool& pool, const OpContext& op, const Numbers&) {
       return pool.ReleaseMetadataSnapshot(op);
     }},
}};

}  // namespace

Result<void> ThinPool::CheckMessages() const {
  if (mode_ >= ThinPoolMode::kOutOfMetadataSpace) return Errno::kOpNotSupp;
  return {};
}

Result<void> ThinPool::CheckId(ThinId id) const {
  if (id.value > kMaxThinId) return Errno::kInval;
  return {};
}

Result<void> ThinPool::Message(const OpContext& op, std::string_view text) {
  const std::vector<std::string_view> words = internal::WordsOf(text);
  if (words.empty()) return Errno::kInval;
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  for (const MessageForm& form : kForms) {
    if (!SameWord(form.name, words[0])) continue;
    if (words.size() - 1 != form.arguments) return Errno::kInval;
    Numbers numbers;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::optional<std::uint64_t> number = DecimalOf(words[i]);
      if (!number.has_value()) return Errno::kInval;
      numbers.push_back(*number);
    }
    return form.send(*this, op, numbers);
  }
  return Errno::kInval;
}

Result<void> ThinPool::EndMessage(const OpContext& op, Result<void> done) {
  ++details_epoch_;
  if (!done.ok()) {
    if (!IsRefusal(done.error())) MetadataFailed(op);
    return done;
  }
  // dm-thin answers success whatever this commit does; a change that is gone is told here.
  return CommitNow(op);
}

Result<void> ThinPool::CreateThin(const OpContext& op, ThinId id) {
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  if (Result<void> legal = CheckId(id); !legal.ok()) return legal;
  return EndMessage(op, metadata_->CreateThin(op, id));
}

Result<void> ThinPool::CreateSnapshot(const OpContext& op, ThinId id, ThinId origin) {
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  if (Result<void> legal = CheckId(id); !legal.ok()) return legal;
  if (Result<void> legal = CheckId(origin); !legal.ok()) return legal;
  return EndMessage(op, metadata_->CreateSnapshot(op, id, origin));
}

Result<void> ThinPool::Delete(const OpContext& op, ThinId id) {
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  if (Result<void> legal = CheckId(id); !legal.ok()) return legal;
  if (IsActive(id)) return Errno::kBusy;  // hence it exists
  return EndMessage(op, metadata_->Delete(op, id));
}

Result<void> ThinPool::SetTransactionId(const OpContext& op, std::uint64_t expected,
                                        std::uint64_t next) {
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  return EndMessage(op, metadata_->SetTransactionId(op, expected, next));
}

Result<void> ThinPool::ReserveMetadataSnapshot(const OpContext& op) {
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  if (Result<void> committed = CommitNow(op); !committed.ok()) return committed;
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  return EndMessage(op, metadata_->ReserveMetadataSnapshot(op));
}

Result<void> ThinPool::ReleaseMetadataSnapshot(const OpContext& op) {
  if (Result<void> served = CheckMessages(); !served.ok()) return served;
  return EndMessage(op, metadata_->ReleaseMetadataSnapshot(op));
}

}  // namespace lamina
