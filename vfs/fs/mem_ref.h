// Ref<T>: a counted pointer to an object that carries its own count. Half the size of a
// shared_ptr, and it knows for certain whether it is the only one (copy on write asks that).
//
// Threads: references may be made and dropped anywhere. An object with more than one reference is
// never written.
#ifndef LAMINA_VFS_FS_MEM_REF_H_
#define LAMINA_VFS_FS_MEM_REF_H_

#include <utility>

#include "lamina/base/reference_count.h"

namespace lamina::internal {

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) {}
  RefCounted& operator=(const RefCounted&) = delete;

  void AddReference() const { references_.Add(); }
  // True when it was the last one.
  bool DropReference() const { return exclusive() || references_.Drop(); }
  bool exclusive() const { return references_.is_one(); }

 protected:
  ~RefCounted() = default;

 private:
  mutable ReferenceCount references_{1};
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  // Takes over the reference a new object is born with.
  static Ref Adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  Ref(const Ref& other) : object_(other.object_) {
    if (object_ != nullptr) object_->AddReference();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ == nullptr || !object_->DropReference()) return;
    if constexpr (requires { T::Free(object_); }) {
      T::Free(object_);
    } else {
      delete object_;
    }
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_REF_H_
